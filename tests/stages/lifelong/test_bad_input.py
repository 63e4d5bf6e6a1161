"""What cannot be learnt in turn ends with 2 and the key at fault, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.process import code_of

FAULTS = [
    (
        ("stream=[{name: a, steps: 1, corpus: {files: [a.txt]}}]",),
        "stream: expected two corpora or",
    ),
    (("stream.1.name=animals",), "stream: two corpora are named animals"),
    (("stream.1.name=Animals",), "would share a folder on macOS or Windows"),
    (("stream.1.name=../up",), "stream.1.name: "),
    (("stream.1.steps=0",), "stream.1.steps: "),
    (("stream.1.corpus.files=[gone.txt]",), "stream.1.corpus.files: gone.txt: no such file"),
    (("stream.1.corpus.tasks=[rtee]",), "rtee: no such task or card; did you mean 'rte'"),
    (("stream.0.corpus.max_length=129",), "stream.0.corpus.max_length: 129, but "),
    (("method=seeds",), "method: "),
    (("embeddings.queue=7",), "embeddings.queue: 7, but a batch has 8 texts"),
    (("method=joint", "losses.seed.weight=1"), "losses.seed: is held to the encoder of before"),
    (("training.accumulation=2",), "training.accumulation: losses."),
    (("training.batch_size=1", "method=contrastive"), "training.batch_size: losses."),
    (("losses.mlm=null", "losses.simcse=null"), "losses: none is of words or texts alone"),
    (("losses.minilm={weight: 1, relation_heads: 5}",), "losses.minilm.relation_heads: 5 does not"),
    (("method=joint", "replay.rows=5"), "replay: method joint begins anew with each corpus"),
    (("training.epochs=2",), "training.epochs: stream.N.steps says how long"),
    (("training.keep=best",), "training.keep: each corpus is learnt for as many steps"),
    (("training.layer_decay=0.9",), "training.layer_decay: "),
    (("stream.0.tasks=[rte]",), "stream: people, things without tasks, and others with some"),
    (("stream.0.tasks=[rtee]", "stream.1.tasks=[rte]", "stream.2.tasks=[rte]"), "rtee: no such"),
    (
        (
            "stream.0.tasks=[rte,rte]",
            "stream.1.tasks=[rte]",
            "stream.2.tasks=[rte]",
            "downstream.data.source=sample",
        ),
        "stream.0.tasks: rte stands twice",
    ),
    (("downstream.training.keep=best",), "downstream.training.keep: the last epoch is scored"),
    (("encoder.encoder=./nowhere",), "./nowhere: no such directory"),
    (("encoder.layers=3",), "layers=3, but it has 2"),
]


@pytest.fixture
def refused(stream: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command that must end with 2 and train nothing; return what it says."""

    def run(*overrides: str, command: str = "lifelong", read: bool = False) -> str:
        def never(*args: object, **kwargs: object) -> None:
            raise AssertionError("too late")

        monkeypatch.setattr("mtkd.stages.lifelong.adapt._build", never)
        if not read:
            monkeypatch.setattr("mtkd.examples.texts.read_texts", never)
        monkeypatch.chdir(stream.parent)
        assert code_of(monkeypatch, command, str(stream), *overrides) == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
        return said

    return run


@pytest.mark.parametrize(("overrides", "says"), FAULTS)
def test_what_does_not_fit_is_refused_before_a_text_is_read(
    overrides: tuple[str, ...], says: str, refused
) -> None:
    assert says in refused(*overrides)


def test_a_corpus_that_yields_no_batch_is_refused_before_training(stream: Path, refused) -> None:
    (stream.parent / "people.txt").write_text("\n\n", "utf-8")
    assert "people.txt: expected texts, found none" in refused(read=True)


def test_a_recipe_of_another_kind_is_named(stream: Path, refused) -> None:
    said = refused(command="compress")
    assert "kind: expected compress, found lifelong" in said
    assert "a lifelong recipe has no stage prepare; it has corpora, adapt" in refused(
        command="prepare"
    )


def test_kind_is_asked_for_where_a_stream_is_given(stream: Path, refused) -> None:
    text = stream.read_text("utf-8").replace("kind: lifelong\n", "")
    stream.write_text(text, "utf-8")
    assert "add `kind: lifelong`" in refused()
