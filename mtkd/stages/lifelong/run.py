"""A lifelong recipe in a run directory, held against the configuration of its encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from mtkd.encoders import configure, load_config, max_positions
from mtkd.errors import RecipeError
from mtkd.recipe import EncoderLosses, GlueRecipe, HeadSettings, LifelongRecipe, Student
from mtkd.stages.corpora import corpus_tasks, encoder_config
from mtkd.stages.unit import Run
from mtkd.task import Task, load_task, plan_tasks

CORPORA, CHECKPOINTS, DOWNSTREAM = "corpora", "checkpoints", "downstream"
ANEW = frozenset({"joint", "separate"})  # methods that begin anew with each corpus


@dataclasses.dataclass(frozen=True)
class LifelongRun:
    """A recipe, the tasks whose texts its corpora read, and the directory of the run.

    tasks: by the number of a corpus in the stream, then by name. downstream: the tasks that each
    corpus has, likewise, and a run of theirs in a folder of its own; None without any.
    """

    recipe: LifelongRecipe
    tasks: tuple[Mapping[str, Task], ...]
    folder: Path
    downstream: tuple[tuple[str, ...], ...] = ()
    on_tasks: Run | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the corpora, in the order of the stream."""
        return tuple(domain.name for domain in self.recipe.stream)

    def corpora(self, numbers: range) -> list[Path]:
        """Return the folders of some corpora."""
        return [self.folder / CORPORA / self.names[number] for number in numbers]

    def seen(self, number: int) -> range:
        """Return which corpora stage `number` learns from, by its method."""
        return range(number + 1) if self.recipe.method == "joint" else range(number, number + 1)

    def before(self, number: int) -> str | None:
        """Return the place of the encoder that a stage goes on from; None for the recipe's own."""
        if number == 0 or self.recipe.method in ANEW:
            return None
        return f"{CHECKPOINTS}/{self.names[number - 1]}"

    def losses(self, number: int) -> EncoderLosses:
        """Return the losses of a stage: with no encoder of before there is none to be held to."""
        losses = self.recipe.weighted_losses
        if self.before(number) is not None:
            return losses
        own = losses.model_dump(include=OF_WORDS_OR_TEXTS & losses.model_fields_set)
        return EncoderLosses.model_validate(own)


OF_WORDS_OR_TEXTS = {"mlm", "simcse"}  # the losses that read no teacher


def plan_lifelong(recipe: LifelongRecipe, folder: Path) -> LifelongRun:
    """Return the run of a recipe, once it is clear that its corpora and losses can be had.

    Only configurations are read, and whether files are there.

    Raises: RecipeError: naming all that does not fit at once. EncoderError: there is no encoder.
        CardError: a task's card.
    """
    from mtkd.distillation.needs import shape_of  # with torch, not to list recipes
    from mtkd.distillation.pair import make_pair
    from mtkd.distillation.states import HAVE_MLM_HEAD

    tasks, faults = [], []
    encoder = recipe.encoder.encoder
    config = encoder_config(recipe.encoder)
    positions = max_positions(encoder)
    for number, domain in enumerate(recipe.stream):
        own, found = corpus_tasks(f"stream.{number}.corpus", domain.corpus)
        tasks.append(own)
        faults += found
        if positions is not None and domain.corpus.max_length > positions:
            faults.append(f"stream.{number}.corpus.max_length: {domain.corpus.max_length}, but "
                          f"{encoder} has {positions} positions")  # fmt: skip
    if (kind := config.get("model_type")) not in HAVE_MLM_HEAD:
        faults.append(f"encoder.encoder: a {kind} encoder cannot go on learning words; those that "
                      f"can are {', '.join(HAVE_MLM_HEAD)}")  # fmt: skip
    else:
        configure(load_config(encoder), recipe.encoder)  # raises what it cannot be set to
        shape = shape_of(config, f"encoder.encoder: {encoder}")
        try:
            make_pair(recipe.weighted_losses, shape, shape)
        except RecipeError as error:
            faults.append(str(error))
    if not OF_WORDS_OR_TEXTS & set(recipe.weighted_losses.weighted()):
        faults.append("losses: none is of words or texts alone, so the first corpus, before which "
                      "there is no encoder to be held to, would teach nothing; give mlm a weight"
                      )  # fmt: skip
    if faults:
        raise RecipeError("\n".join([f"{recipe.name}: {len(faults)} fault(s)", *faults]))
    if not any(domain.tasks for domain in recipe.stream):
        return LifelongRun(recipe, tuple(tasks), folder)
    names = tuple(tuple(load_task(source).name for source in d.tasks) for d in recipe.stream)
    for number, given in enumerate(names):
        if twice := sorted({name for name in given if given.count(name) > 1}):
            raise RecipeError(f"{recipe.name}: stream.{number}.tasks: {', '.join(twice)} stands "
                              "twice")  # fmt: skip
    on_tasks = _run_on_tasks(recipe, folder / DOWNSTREAM)
    return LifelongRun(recipe, tuple(tasks), folder, names, on_tasks)


def _run_on_tasks(recipe: LifelongRecipe, folder: Path) -> Run:
    """Return the run on tasks that checkpoints are fine-tuned in.

    Raises: RecipeError, CardError: a task cannot be trained on.
    """
    sources = tuple(dict.fromkeys(source for d in recipe.stream for source in d.tasks))
    heads = {load_task(source).name: HeadSettings(pooling=recipe.downstream.pooling)
             for source in sources}  # fmt: skip
    student = Student(encoder=recipe.encoder.encoder, dropout=recipe.encoder.dropout, heads=heads)
    training = recipe.downstream.training.model_copy(update={"keep": "last"})
    planned, tasks = plan_tasks(
        GlueRecipe(name=recipe.name, seed=recipe.seed, tasks=sources, data=recipe.downstream.data,
                   student=student, training=training)
    )  # fmt: skip
    if scored := [name for name, task in tasks.items() if task.head_of is not None]:
        raise RecipeError(f"stream: {', '.join(scored)}: has no rows to train on; leave it out")
    return Run(planned, tasks, folder)
