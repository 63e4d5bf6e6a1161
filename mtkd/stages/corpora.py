"""Plain text that encoders learn from: what a recipe says of it, the unit that cuts it to rows."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtkd.artifacts import check_remembered, remembered_sha256
from mtkd.encoders import (
    encoder_folder,
    length_settings,
    load_tokenizer,
    tokenizer_sha256,
    vocabulary_size,
)
from mtkd.errors import DataError, EncoderError
from mtkd.examples import has_split, read_examples, split_path
from mtkd.recipe import CorpusSettings, EncoderSettings
from mtkd.stages.unit import Unit, flat, flat_mapping
from mtkd.task import Task, load_task

if TYPE_CHECKING:
    from mtkd.batching.masking import Masking
    from mtkd.recipe.compress import MaskingSettings
    from mtkd.training.corpus import TrainingCorpus

INFO, COUNTS = "info.json", "counts.npy"

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Texts:
    """Where an encoder's corpus comes from.

    key, encoder_key: of the recipe, that say so. place: where it goes in the run directory. tasks:
    by name, those of `corpus.tasks`. seed: says which texts are held out.
    """

    key: str
    encoder_key: str
    place: str
    encoder: EncoderSettings
    corpus: CorpusSettings
    tasks: Mapping[str, Task]
    seed: int


def encoder_config(settings: EncoderSettings) -> dict[str, Any]:
    """Return an encoder's config.json, with its depth as the recipe sets it."""
    config = json.loads((encoder_folder(settings.encoder) / "config.json").read_text("utf-8"))
    if settings.layers is not None:
        config["num_hidden_layers"] = settings.layers
    return config


def corpus_tasks(key: str, corpus: CorpusSettings) -> tuple[dict[str, Task], list[str]]:
    """Return the tasks whose texts are read, by name, and what is wrong with a corpus's sources.

    Raises: CardError: a task's card.
    """
    tasks: dict[str, Task] = {}
    faults = []
    for source in corpus.tasks:
        task = load_task(source)
        if task.name in tasks:
            faults.append(f"{key}.tasks: {task.name} stands twice")
        if not task.train_splits:
            faults.append(f"{key}.tasks: {task.name} has no train rows; leave it out")
        tasks[task.name] = task
        try:
            for split in task.train_splits:
                if not has_split(task, split, corpus.data):
                    read_examples(task, split, corpus.data)  # says which file
        except DataError as error:
            faults.append(f"{key}.data: {task.name}: {error}")
    faults += [f"{key}.files: {path}: no such file" for path in corpus.files
               if not Path(path).is_file()]  # fmt: skip
    return dict(sorted(tasks.items())), faults  # their order in the recipe changes nothing


def corpus_unit(stage: str, texts: Texts) -> Unit:
    """Return the unit that writes a corpus."""
    encoder, corpus, key = texts.encoder.encoder, texts.corpus, texts.key
    apart = {"files", "tasks", "data"}
    if corpus.hub is None and all(path.endswith(".txt") for path in corpus.files):
        apart.add("column")  # of what has columns
    settings: dict[str, Any] = {
        "seed": texts.seed,
        **flat(key, corpus, apart),
        f"{key}.data.source": corpus.data.source,
        **{f"tokenizer file {name}": sha for name, sha in tokenizer_sha256(encoder).items()},
        **{f"encoder.{name}": value for name, value in length_settings(encoder).items()},
        **{
            name: f"{path.suffix} {remembered_sha256(path)}" for name, path in _files(texts).items()
        },
        **{name: value for task in texts.tasks.values() for name, value in _card(task).items()},
    }
    return Unit(stage, texts.place, settings, needs=(), build=partial(_build, texts))


def load_corpus(folders: Sequence[Path], split: str, encoder: str, name: str) -> TrainingCorpus:
    """Return the rows of one corpus, or of several as one, to learn from or held out."""
    from mtkd.examples.prepared import PreparedSplit  # with torch, not to list a run
    from mtkd.training.corpus import TrainingCorpus

    pad = load_tokenizer(encoder).pad_token_id
    return TrainingCorpus(PreparedSplit([f / f"{split}.arrow" for f in folders], pad), name)


def load_masking(folders: Sequence[Path], encoder: str, settings: MaskingSettings) -> Masking:
    """Return how corpora are masked: by the counts of words in all of them."""
    import numpy as np

    from mtkd.batching.masking import Masking, masking_weights

    tokenizer = load_tokenizer(encoder)
    counts = sum(np.load(folder / COUNTS, allow_pickle=False) for folder in folders)
    gaps = set(range(len(counts))) - set(tokenizer.get_vocab().values())
    never = {*tokenizer.all_special_ids, *gaps}
    weights = masking_weights(counts, settings.smoothing, never)
    return Masking(weights, tokenizer.mask_token_id, settings.share)


def _files(texts: Texts) -> dict[str, Path]:
    """Return the files that texts are read from, by what to call them; none of the hub's."""
    corpus = texts.corpus
    found = {f"{texts.key}.files.{n}": Path(path) for n, path in enumerate(corpus.files)}
    for name, task in texts.tasks.items():
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


def _build(texts: Texts, folder: Path) -> dict[str, Any]:
    import numpy as np

    from mtkd.distillation.needs import shape_of
    from mtkd.examples.corpus import write_corpus
    from mtkd.examples.texts import read_texts

    for path in _files(texts).values():
        check_remembered(path)
    encoder = texts.encoder.encoder
    tokenizer = load_tokenizer(encoder)
    vocabulary = shape_of(encoder_config(texts.encoder)).vocabulary
    if vocabulary_size(tokenizer) > vocabulary:
        raise EncoderError(f"{texts.encoder_key}: {encoder}: its tokenizer has "
                           f"{vocabulary_size(tokenizer)} words, its embeddings have {vocabulary}; "
                           "copy its files again")  # fmt: skip
    found = read_texts(texts.corpus, texts.tasks)
    info, counts = write_corpus(found, tokenizer, texts.corpus, texts.seed, folder)
    np.save(folder / COUNTS, counts, allow_pickle=False)
    content = dataclasses.asdict(info)
    (folder / INFO).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    log.info("%s: %d texts, %d rows (%d tokens) to learn from, %d held out; left out: %d short "
             "rows, %d of unknown words", texts.place, info.texts, info.rows["train"],
             info.tokens["train"], info.rows["dev"], info.short, info.unknown)  # fmt: skip
    return content
