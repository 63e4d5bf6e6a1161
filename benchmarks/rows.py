"""The rows that are measured on: tokenised once, for mtkd and its peers alike.

`python -m benchmarks.rows FOLDER` is a child of the benchmarks: it reads official files or the
shipped sample, keeps for each task the rows that `data.max_rows` would, and tokenises them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.child import serve

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from numpy.typing import NDArray

    from mtkd.examples.prepared import PreparedSplit
    from mtkd.model import MultiTaskModel
    from mtkd.task import Task

ENCODER = "bundled:all-MiniLM-L6-v2"
TASKS = ("rte", "mrpc", "cola", "stsb")
MAX_LENGTH = 128
SEED = 1


@dataclasses.dataclass(frozen=True)
class TaskRows:
    """A task's prepared train rows, and which of them a benchmark takes."""

    task: Task
    split: PreparedSplit
    chosen: NDArray[np.int64]
    fingerprint: str

    @property
    def tokens(self) -> int:
        """Return the number of tokens of the chosen rows, padding left out."""
        return int(self.split.lengths[self.chosen].sum())

    def dataset(self) -> Dataset:
        """Return the chosen rows as transformers wants them, in memory."""
        from datasets import Dataset

        rows = self.split.dataset.select(self.chosen)
        whole = self.task.kind == "classification"
        names = [n for n in ("input_ids", "token_type_ids") if n in rows.column_names]
        columns = {name: list(rows[name]) for name in names}
        columns["attention_mask"] = [[1] * len(row) for row in columns["input_ids"]]
        columns["length"] = [len(row) for row in columns["input_ids"]]
        columns["label"] = [int(label) if whole else label for label in rows["label"]]
        return Dataset.from_dict(columns)

    def texts(self) -> list[dict[str, str]]:
        """Return the chosen rows' texts as a text-classification pipeline takes them."""
        rows = self.split.dataset.select(self.chosen)["texts"]
        names = ("text", "text_pair")
        return [dict(zip(names, texts, strict=False)) for texts in rows]


def load_rows(folder: Path, each: int | None = None) -> dict[str, TaskRows]:
    """Return every task's rows, or `each` of them that are spread over the file."""
    import numpy as np

    from mtkd.examples.prepared import PreparedSplit
    from mtkd.task import load_task

    about = json.loads((folder / "rows.json").read_text("utf-8"))
    found = {}
    for name in TASKS:
        split = PreparedSplit(folder / f"{name}.arrow", about["pad"])
        count = min(each or len(split), len(split))
        chosen = np.unique(np.linspace(0, len(split) - 1, count).astype(np.int64))
        fingerprint = about["fingerprints"][name]
        found[name] = TaskRows(load_task(name), split, chosen, fingerprint)
    return found


def fresh_model(names: tuple[str, ...] = TASKS) -> MultiTaskModel:
    """Return the bundled encoder with new heads."""
    from mtkd.model import build_model
    from mtkd.recipe import EncoderSettings
    from mtkd.task import load_task

    tasks = {name: load_task(name) for name in names}
    return build_model(EncoderSettings(encoder=ENCODER), tasks, {}, seed=SEED)


def prepare(folder: Path, glue: Path | None, each: int) -> dict[str, Any]:
    """Tokenise at most `each` train rows of every task; return what they are, in words.

    All of them stand beside these, under all/, for what depends on how many there are.
    """
    from mtkd.encoders import load_tokenizer
    from mtkd.examples import cap, read_examples, tokenise
    from mtkd.recipe import DataSettings
    from mtkd.task import load_task

    tokenizer = load_tokenizer(ENCODER)
    data = (
        DataSettings(source="directory", root=str(glue)) if glue else DataSettings(source="sample")
    )
    infos = {}
    for name in TASKS:
        examples = cap(read_examples(load_task(name), "train", data), each, SEED)
        infos[name] = tokenise(examples, tokenizer, MAX_LENGTH, folder / f"{name}.arrow")
        everything = read_examples(load_task(name), "train", data)
        tokenise(everything, tokenizer, MAX_LENGTH, folder / f"all/{name}.arrow")
    about = {
        "pad": tokenizer.pad_token_id,
        "fingerprints": {name: info.fingerprint for name, info in infos.items()},
    }
    (folder / "rows.json").write_text(json.dumps(about), "utf-8")
    parts = [f"{info.rows} of {name} ({info.tokens / info.rows:.0f} tokens on average)"
             for name, info in infos.items()]  # fmt: skip
    return {"rows": ", ".join(parts), "source": "official files" if glue else "shipped sample"}


def main() -> None:
    """Be the child that prepares the rows."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--glue", type=Path)
    parser.add_argument("--each", type=int, required=True)
    given = parser.parse_args()
    serve(lambda: lambda: prepare(given.folder, given.glue, given.each))


if __name__ == "__main__":
    main()
