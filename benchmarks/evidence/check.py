"""One headline number again, from GLUE's files and packed predictions, with numpy alone.

`python benchmarks/evidence/check.py GLUE_DATA` imports nothing of mtkd nor of the benchmarks. It
prints, for two arms, the mean over tasks and seeds of the student's score, and the difference.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
# folder, columns of texts and of the label, whether there is a header
FORMATS = {
    "rte": ("RTE", (1, 2), 3, True),
    "mrpc": ("MRPC", (3, 4), 0, True),
    "stsb": ("STS-B", (7, 8), 9, True),
    "cola": ("CoLA", (3,), 1, False),
}
CLASSES = {"rte": {"entailment": 0, "not_entailment": 1}}


def read(glue: Path, task: str, split: str) -> list[tuple[list[str], float]]:
    """Return normalised texts and the label of each row of a file."""
    folder, texts, label, header = FORMATS[task]
    found = []
    with (glue / folder / f"{split}.tsv").open(encoding="utf-8-sig", newline="") as file:
        for line in list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[header:]:
            words = [" ".join(re.findall(r"\w+", line[column].casefold())) for column in texts]
            own = CLASSES[task][line[label]] if task in CLASSES else float(line[label])
            found.append((words, own))
    return found


def gold_labels(glue: Path, task: str) -> np.ndarray:
    """Return the labels of the official dev rows, then of the train rows that are scored."""
    rows = read(glue, task, "train")
    places = []
    for texts, _ in rows:
        digest = hashlib.sha256(f"evidence:{task}:{texts[0]}".encode()).digest()
        places.append(int.from_bytes(digest[:8], "big") / 2**64)
    learnt = {t for (texts, _), p in zip(rows, places, strict=True) if p >= 0.4 for t in texts}
    found = [label for _, label in read(glue, task, "dev")]
    found += [label for (texts, label), place in zip(rows, places, strict=True)
              if 0.1 <= place < 0.3 and not learnt & set(texts)]  # fmt: skip
    return np.array(found, dtype=float)


def score(task: str, gold: np.ndarray, own: np.ndarray) -> float:
    """Return a task's score, in per cent."""
    if task == "rte":
        return 100 * float(np.mean(gold == own))
    if task == "cola":
        return 100 * float(np.corrcoef(gold, own)[0, 1]) if np.ptp(own) else 0.0
    if task == "mrpc":
        hits = float(np.sum((gold == 1) & (own == 1)))
        f1 = 2 * hits / float(np.sum(gold == 1) + np.sum(own == 1))
        return 100 * (float(np.mean(gold == own)) + f1) / 2
    return 100 * (np.corrcoef(gold, own)[0, 1] + np.corrcoef(ranks(gold), ranks(own))[0, 1]) / 2


def ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks, the mean for ties."""
    return np.array([np.sum(values < v) + (np.sum(values == v) + 1) / 2 for v in values])


def lines_of(path: Path, arm: str, rate: str) -> dict[int, dict]:
    """Return the lines of an arm's scored runs by seed, of which there may be one each."""
    found = {}
    for line in map(json.loads, path.read_text("utf-8").splitlines()):
        wanted = {f"training.learning_rate={rate}", "scored=final"}
        if line["arm"] == arm and wanted <= set(line["settings"]):
            if line["seed"] in found:
                raise SystemExit(f"{arm}: seed {line['seed']} stands twice")
            found[line["seed"]] = line
    return found


def main() -> None:
    """Print both arms' scores and their difference."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("glue", type=Path)
    parser.add_argument("--rate", required=True, help="the learning rate that was chosen")
    parser.add_argument("--arms", nargs=2, default=["some teachers", "plain"])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    given = parser.parse_args()
    arms = [lines_of(given.results / "runs.jsonl", arm, given.rate) for arm in given.arms]
    seeds = sorted(set(arms[0]) & set(arms[1]))
    gold = {task: gold_labels(given.glue, task) for task in FORMATS}
    means = []
    for name, lines in zip(given.arms, arms, strict=True):
        scores = []
        for seed in seeds:
            path = given.results / "rows" / lines[seed]["predictions"]
            packed = np.load(path, allow_pickle=False)
            scores += [score(task, own, packed[f"student/{task}"].astype(float))
                       for task, own in gold.items()]  # fmt: skip
        means.append(float(np.mean(scores)))
        print(f"{name}: {means[-1]:.4f} over {len(seeds)} seeds")
    print(f"difference: {means[0] - means[1]:+.4f}")


if __name__ == "__main__":
    main()
