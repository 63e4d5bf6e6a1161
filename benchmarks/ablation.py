"""`make bench-compress GLUE=glue_data`, or `python -m benchmarks.ablation GLUE_DATA`.

Does distilling an encoder pay, and each of its losses? distilbert_tiny on real sentences, whole,
with each loss left out once, and from random weights; and not distilled, its layers copied or its
weights random. Each encoder, and their teacher, is then trained on five tasks together and scored
on dev, into benchmarks/results/ablation-<date>.jsonl.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.arms import arguments, carry_out, dev_scores, difference, scores_of, spread, start
from benchmarks.harness import Table
from benchmarks.results import table_lines

TASKS = ("rte", "mrpc", "stsb", "cola", "sst2")
WHOLE, TEACHER = "all losses", "teacher"
TEACHER_ENCODER = "bundled:all-MiniLM-L6-v2"
DISTILLED, BEGUN = "evaluate", "init-student"  # the stage up to which an encoder is made
# overrides of distilbert_tiny, and how far it goes; the teacher is what they all begin from
ARMS: Mapping[str, tuple[tuple[str, ...], str]] = {
    TEACHER: ((), BEGUN),
    WHOLE: ((), DISTILLED),
    "layers copied": ((), BEGUN),
    "random weights": (("student.start=random",), DISTILLED),
    "random weights, not distilled": (("student.start=random",), BEGUN),
    "without soft_mlm": (("losses.soft_mlm.weight=0.0",), DISTILLED),
    "without mlm": (("losses.mlm.weight=0.0",), DISTILLED),
    "without cosine": (("losses.cosine.weight=0.0",), DISTILLED),
}
# SST-2 has more text than the four together, and the arms take hours without it
CORPUS = ("rte", "mrpc", "stsb", "cola")
TASK_SETTINGS = (
    "tasks=[rte,mrpc,stsb,cola,sst2]",
    "teachers=null",
    "baseline=false",
    "training.learning_rate=4e-4",
    "training.epochs=4",
    "training.batch_size=32",
    "data.source=directory",
    "data.max_rows.test=1",
    "training.keep=last",  # the best of four epochs would be chosen on the rows it is scored on
)


def main() -> None:
    """Run what is missing, and say how far each arm is from the whole."""
    parser = arguments("ablation", str(__doc__), ARMS, seeds=3)
    parser.add_argument("--epochs", type=int, default=1, help="of the student over the corpus")
    parser.add_argument("--corpus", nargs="+", default=CORPUS, help="tasks whose texts are read")
    given = parser.parse_args()
    start()
    encoder = ["corpus.data.source=directory", f"corpus.tasks=[{','.join(given.corpus)}]",
               f"training.epochs={given.epochs}"]  # fmt: skip
    tasks = [*TASK_SETTINGS, f"data.max_rows.train={given.rows}"]

    def once(arm: str, seed: int) -> dict[str, Any]:
        return run(given.glue, arm, seed, encoder, tasks, given.runs)

    settings = [*encoder, *tasks]
    found = carry_out(given.results, settings, given.arms or [*ARMS], given.seeds, once)
    print("\n".join(table_lines(compare(scores_of(found)))))


def run(
    glue: Path, arm: str, seed: int, encoder: list[str], tasks: list[str], runs: Path
) -> dict[str, Any]:
    """Make an arm's encoder and train it on the tasks; return dev scores by task.

    Args: encoder, tasks: overrides of distilbert_tiny and of glue_small.
    """
    from mtkd import pipeline
    from mtkd.artifacts import environment
    from mtkd.recipe import load_recipe

    made, notes = TEACHER_ENCODER, {}
    if arm != TEACHER:
        made, notes = _encoder(arm, seed, [*encoder, f"corpus.data.root={glue}"], runs)
    recipe = load_recipe("glue_small", [
        *tasks, f"seed={seed}", f"data.root={glue}", f"student.encoder={made}",
        "student.heads={" + ", ".join(f"{t}: {{pooling: mean}}" for t in TASKS) + "}",
    ])  # fmt: skip
    opened = pipeline.open_run(recipe, runs / f"tasks-{_slug(arm)}-{seed}")
    pipeline.carry_out(opened, recipe, "evaluate", cache=runs / "cache")
    return {**dev_scores(opened.folder, opened.tasks, TASKS), "encoder": notes,
            "machine": environment()}  # fmt: skip


def _encoder(arm: str, seed: int, overrides: list[str], runs: Path) -> tuple[str, dict[str, Any]]:
    """Make an arm's encoder; return its folder and the notes of its manifest.

    All arms of a seed learn from one teacher, whose masked-language head is trained once.
    """
    from mtkd import pipeline
    from mtkd.artifacts import read_manifest
    from mtkd.recipe import load_recipe

    own, until = ARMS[arm]
    common = [*overrides, f"seed={seed}"]
    begin = load_recipe("distilbert_tiny", common)
    begun = pipeline.open_run(begin, runs / f"encoder-begun-{seed}")
    pipeline.carry_out(begun, begin, BEGUN, cache=runs / "cache")
    place = begun.folder / "student_init"
    if own or until != BEGUN:
        teacher = (begun.folder / "teacher").absolute()
        recipe = load_recipe("distilbert_tiny", [
            *common, *own, f"teacher.encoder={teacher}", "warmup_mlm=null",
        ])  # fmt: skip
        opened = pipeline.open_run(recipe, runs / f"encoder-{_slug(arm)}-{seed}")
        pipeline.carry_out(opened, recipe, until, cache=runs / "cache")
        place = opened.folder / ("student_init" if until == BEGUN else "student")
    manifest = read_manifest(place)
    assert manifest is not None
    return str(place.absolute()), {"seconds": manifest.seconds, **manifest.notes}


def _slug(arm: str) -> str:
    return arm.replace(",", "").replace(" ", "-")


def compare(scores: Mapping[str, Mapping[int, Mapping[str, float]]]) -> Table:
    """Return, by arm, dev scores over seeds, their mean, and how far that is from the whole's."""
    rows = []
    for arm, by_seed in scores.items():
        cells = [spread([100 * by_seed[seed][task] for seed in by_seed]) for task in TASKS]
        means = _means(by_seed)
        gap = ""
        if arm != WHOLE and WHOLE in scores:
            mean, error, _ = difference(means, _means(scores[WHOLE]))
            gap = f"{mean:+.1f} +- {error:.1f}"
        rows.append((arm, *cells, spread(means), gap))
    columns = ("encoder", *TASKS, "mean", f"mean, less that of {WHOLE} (paired, standard error)")
    return Table(columns, tuple(rows))


def _means(by_seed: Mapping[int, Mapping[str, float]]) -> list[float]:
    return [100 * statistics.fmean(scores[task] for task in TASKS) for scores in by_seed.values()]


if __name__ == "__main__":
    main()
