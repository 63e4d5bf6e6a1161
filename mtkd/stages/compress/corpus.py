"""corpus: texts to rows of tokens, with a part held out."""

from __future__ import annotations

import dataclasses
import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

from mtkd.artifacts import check_remembered, remembered_sha256
from mtkd.encoders import length_settings, load_tokenizer, tokenizer_sha256, vocabulary_size
from mtkd.errors import EncoderError
from mtkd.examples import split_path
from mtkd.stages.compress.run import CORPUS, CompressRun, teacher_config
from mtkd.stages.unit import Unit, flat, flat_mapping
from mtkd.task import Task

STAGE = "corpus"
INFO, COUNTS = "info.json", "counts.npy"

log = logging.getLogger(__name__)


def units(run: CompressRun) -> list[Unit]:
    """Return the one unit of this stage."""
    encoder, corpus = run.recipe.teacher.encoder, run.recipe.corpus
    apart = {"files", "tasks", "data"}
    if corpus.hub is None and all(path.endswith(".txt") for path in corpus.files):
        apart.add("column")  # of what has columns
    settings: dict[str, Any] = {
        "seed": run.recipe.seed,  # it says which texts are held out
        **flat("corpus", corpus, apart),
        "corpus.data.source": corpus.data.source,
        **{f"tokenizer file {name}": sha for name, sha in tokenizer_sha256(encoder).items()},
        **{f"encoder.{key}": value for key, value in length_settings(encoder).items()},
        **{name: f"{path.suffix} {remembered_sha256(path)}" for name, path in _files(run).items()},
        **{key: value for task in run.tasks.values() for key, value in _card(task).items()},
    }
    return [Unit(STAGE, CORPUS, settings, needs=(), build=partial(_build, run))]


def _files(run: CompressRun) -> dict[str, Path]:
    """Return the files that texts are read from, by what to call them; none of the hub's."""
    corpus = run.recipe.corpus
    found = {f"corpus.files.{number}": Path(path) for number, path in enumerate(corpus.files)}
    for name, task in run.tasks.items():
        for split in task.train_splits:
            if split in task.files and (task.folder is not None or corpus.data.source != "hub"):
                found[f"rows {name}/{split}"] = split_path(task, split, corpus.data)
    return found


def _card(task: Task) -> dict[str, Any]:
    """Return what a task's card says that shapes its texts."""
    splits = task.train_splits
    # a file that is moved is the same file
    files = {s: f.model_copy(update={"path": Path(f.path).suffix})
             for s, f in task.files.items() if s in splits}  # fmt: skip
    card = task.model_copy(update={"files": files})
    left_out = {"title", "metrics", "head", "head_of", "positive", "submission"}
    return flat_mapping(f"card {task.name}", card.model_dump(mode="json", exclude=left_out), set())


def _build(run: CompressRun, folder: Path) -> dict[str, Any]:
    import numpy as np

    from mtkd.distillation.needs import shape_of
    from mtkd.examples.corpus import write_corpus
    from mtkd.examples.texts import read_texts

    for path in _files(run).values():
        check_remembered(path)
    recipe = run.recipe
    tokenizer = load_tokenizer(recipe.teacher.encoder)
    vocabulary = shape_of(teacher_config(recipe)).vocabulary
    if vocabulary_size(tokenizer) > vocabulary:
        raise EncoderError(f"teacher.encoder: {recipe.teacher.encoder}: its tokenizer has "
                           f"{vocabulary_size(tokenizer)} words, its embeddings have {vocabulary}; "
                           "copy its files again")  # fmt: skip
    texts = read_texts(recipe.corpus, run.tasks)
    info, counts = write_corpus(texts, tokenizer, recipe.corpus, recipe.seed, folder)
    np.save(folder / COUNTS, counts, allow_pickle=False)
    content = dataclasses.asdict(info)
    (folder / INFO).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    log.info("corpus: %d texts, %d rows (%d tokens) to learn from, %d held out; left out: %d short "
             "rows, %d of unknown words", info.texts, info.rows["train"], info.tokens["train"],
             info.rows["dev"], info.short, info.unknown)  # fmt: skip
    return content
