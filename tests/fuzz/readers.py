"""The readers that are fuzzed: what they are given first, and what is done with a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.fuzz import seeds

Use = Callable[[Path], object]


@dataclasses.dataclass(frozen=True)
class Reader:
    """One reader. seeds: right inputs. open: given a folder, returns what reads a file in it."""

    name: str
    file: str  # what the input is called in the folder
    seeds: Callable[[Path], Sequence[bytes]]
    open: Callable[[Path], Use]
    tokens: tuple[bytes, ...] = ()


def _rows(suffix: str) -> Callable[[Path], Use]:
    def open_(folder: Path) -> Use:
        from tests.examples.own_cards import own_task, read, regression

        file = {"path": f"input{suffix}"}
        columns = {"text": 0, "label": 1}
        tasks = [own_task(folder, {**file, "id": "n"}, malformed_rows="drop"),
                 own_task(folder, file), regression(folder, file)]  # fmt: skip
        if suffix in (".tsv", ".csv"):
            tasks.append(own_task(folder, {**file, "header": False, "columns": columns}))

        def use(path: Path) -> None:
            refused_by_all([lambda task=task: read(task) for task in tasks])

        return use

    return open_


def _texts(folder: Path) -> Use:
    from mtkd.examples.sentences import sentences
    from mtkd.examples.texts import read_texts
    from mtkd.recipe import CorpusSettings

    def use(path: Path) -> None:
        corpus = CorpusSettings(files=(str(path),))
        for text in read_texts(corpus, {}):
            assert "".join("".join(sentences(text)).split()) == "".join(text.split())

    return use


def _card(folder: Path) -> Use:
    from mtkd.task import load_task

    return load_task


def _recipe(folder: Path) -> Use:
    from mtkd.recipe import load_recipe, save_recipe

    def use(path: Path) -> None:
        """The lines after a NUL are overrides."""
        text, _, rest = path.read_bytes().partition(b"\0")
        path.write_bytes(text)
        overrides = rest.decode("utf-8", "replace").replace("\0", "").split("\n") if rest else []
        save_recipe(load_recipe(str(path), overrides), folder)
        load_recipe(str(folder))

    return use


def _store(folder: Path) -> Use:
    from mtkd.soft_labels import check_store, read_store

    return lambda path: (read_store(path), check_store(path))


def _metadata(folder: Path) -> Use:
    """The input is a store's metadata, with its checksum made right: only their sense is wrong."""
    import json

    import pyarrow.parquet as pq

    from mtkd.inspection import inspect_store, report_blocks
    from mtkd.inspection.csv_file import write_csv
    from mtkd.soft_labels import read_store
    from mtkd.soft_labels.info import _sha256
    from tests.fuzz.seeds import write_store

    table = pq.read_table(write_store(folder / "right.parquet"))

    def use(path: Path) -> None:
        text = path.read_bytes()
        try:
            content = json.loads(text)
            content.pop("sha256", None)
            text = json.dumps({**content, "sha256": _sha256(content)}).encode()
        except (ValueError, AttributeError, TypeError, RecursionError):
            pass
        store = folder / "store.parquet"
        pq.write_table(table.replace_schema_metadata({"mtkd": text}), store)
        read_store(store)
        report_blocks(inspect_store(store))
        (folder / "csv").mkdir(exist_ok=True)
        write_csv(folder / "csv", [store])

    return use


def _submission(folder: Path) -> Use:
    from mtkd.submission import validate
    from mtkd.task import load_task

    tasks = [load_task(name) for name in ("rte", "stsb")]

    def use(path: Path) -> None:
        place = path if path.suffix == ".zip" else path.parent
        report = validate(place, {"RTE.tsv": ["0", "1", "2"], "STS-B.tsv": ["0", "1"]}, tasks)
        assert report.valid or report.problems
        assert all(problem.isprintable() for problem in report.problems)

    return use


def _foreign(folder: Path) -> Use:
    import mtkd.examples  # noqa: F401 - takes seconds, which would be the first input's
    from mtkd.soft_labels.foreign import read_foreign
    from mtkd.soft_labels.foreign_values import to_logits
    from mtkd.task import load_task

    rte, stsb = load_task("rte"), load_task("stsb")
    guids = folder / "guids.txt"
    guids.write_text("".join(f"rte/train/{i}\n" for i in range(3)))

    def use(path: Path) -> None:
        beside = {"guids": guids} if path.suffix == ".npy" else {}
        said = {"labels": rte.labels, "values": "probs", **beside}
        refused_by_all([
            lambda: to_logits(str(path), read_foreign(path, rte, **beside)),
            lambda: to_logits(str(path), read_foreign(path, rte, **said)),
            lambda: to_logits(str(path), read_foreign(path, stsb, **beside)),
        ])  # fmt: skip

    return use


def refused_by_all(uses: Sequence[Callable[[], object]]) -> None:
    """Call each; an error of the user's is raised at the end, where all ended in one."""
    from mtkd.errors import UserError

    refused: list[UserError] = []
    for use in uses:
        try:
            use()
        except UserError as error:
            refused.append(error)
    if len(refused) == len(uses):
        raise refused[-1]


_JSON = (b'{"', b'": ', b"[", b"[[", b"{}", b'"text": ', b'"label": ', b'"n": ', b'"guid": ')
_YAML = (b"&a ", b"*a", b"<<: ", b"${", b"}", b": ", b"\n  ", b"- ", b"!!python/object:x ", b"? ",
         b"| ", b"> ", b"---\n", b"[", b"{", b"!!int ", b"${oc.env:HOME}", b"${name}")  # fmt: skip
_FOREIGN_TOKENS = (b"guid", b"probs", b"logits", b"score", b"entailment", b"not_entailment",
                   b"p(entailment)", b"rte/train/0", b"[[0.5, 0.5]]")  # fmt: skip

READERS = {
    reader.name: reader
    for reader in (
        Reader("tsv", "input.tsv", seeds.tsv, _rows(".tsv"), (b"text\tlabel\n", b"\tcat\n")),
        Reader("csv", "input.csv", seeds.csv, _rows(".csv"), (b'"', b'""', b",cat\n", b"text,")),
        Reader("jsonl", "input.jsonl", seeds.jsonl, _rows(".jsonl"), _JSON),
        Reader("parquet_rows", "input.parquet", seeds.parquet, _rows(".parquet"), (b"PAR1",)),
        Reader("texts", "input.txt", seeds.texts, _texts, (b". ", b"\n", b"!' ")),
        Reader("card", "card.yaml", seeds.cards, _card, _YAML),
        Reader("recipe", "recipe_in.yaml", seeds.recipes, _recipe, (*_YAML, b"\0", b"\nseed=")),
        Reader("store", "input.parquet", seeds.stores, _store, (b"PAR1",)),
        Reader("store_metadata", "input.json", seeds.metadata, _metadata, _JSON),
        Reader("submission_folder", "sent/RTE.tsv", seeds.submission_files, _submission),
        Reader("submission_zip", "input.zip", seeds.submission_zips, _submission, (b"PK\x03\x04",)),
        Reader("foreign_csv", "input.csv", seeds.foreign_csv, _foreign, _FOREIGN_TOKENS),
        Reader("foreign_jsonl", "input.jsonl", seeds.foreign_jsonl, _foreign,
               (*_JSON, *_FOREIGN_TOKENS)),
        Reader("foreign_parquet", "input.parquet", seeds.foreign_parquet, _foreign),
        Reader("foreign_npy", "input.npy", seeds.foreign_npy, _foreign, (b"'descr': ", b"(3, 2)")),
    )
}  # fmt: skip
