import logging

import pytest
import torch

from mtkd.errors import CardError, RecipeError
from mtkd.recipe import GlueRecipe
from mtkd.task import plan_tasks, task_names

GLUE = ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli", "ax"]


def recipe(**changes: object) -> GlueRecipe:
    candidates = [{"name": "a", "encoder": "e"}, {"name": "b", "encoder": "e"}]
    whole = {
        "name": "small",
        "tasks": ["rte", "mrpc", "cola", "stsb"],
        "teachers": {"candidates": candidates, "tasks": ["rte", "mrpc"],
                     "select": {"keep": 1, "by": ["rte", "cola"]}},
        "student": {"encoder": "e"},
    }  # fmt: skip
    return GlueRecipe.model_validate({**whole, **changes})


def teachers(**changes: object) -> dict[str, object]:
    return recipe().teachers.model_dump(exclude_unset=True) | changes


def faults(given: GlueRecipe) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        plan_tasks(given)
    first, *lines = str(caught.value).splitlines()
    assert first == f"small: {len(lines)} fault(s)"
    return lines


OWN_CARD = """\
name: puns
title: Puns
kind: classification
texts: [text]
labels: ["no", "yes"]
files:
  train: {path: train.tsv}
  dev: {path: dev.tsv}
metrics: [accuracy]
"""


# --- tasks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["keys", "forward", "to"])
def test_a_task_cannot_have_a_name_that_torch_needs_for_itself(tmp_path, name):
    (tmp_path / "card.yaml").write_text(OWN_CARD.replace("name: puns", f"name: {name}"))
    (fault,) = faults(recipe(tasks=["rte", "mrpc", "cola", str(tmp_path / "card.yaml")]))
    assert f"{name} cannot be the name of a head" in fault


def test_no_built_in_task_has_a_name_that_torch_needs_for_itself():
    assert [name for name in task_names() if hasattr(torch.nn.ModuleDict, name)] == []


def test_tasks_come_by_name_in_the_recipes_order():
    planned, tasks = plan_tasks(recipe(tasks=["mrpc", "rte", "cola"]))
    assert list(tasks) == ["mrpc", "rte", "cola"]
    assert all(task.name == name for name, task in tasks.items())
    assert planned.tasks == ("mrpc", "rte", "cola")


def test_all_of_glue_is_accepted():
    _, tasks = plan_tasks(recipe(tasks=GLUE))
    assert list(tasks) == GLUE


def test_a_task_of_ones_own_is_given_by_path_and_named_by_its_card(tmp_path):
    (tmp_path / "card.yaml").write_text(OWN_CARD, "utf-8")
    mine = teachers(tasks=["puns", "rte"])
    planned, tasks = plan_tasks(recipe(tasks=["rte", str(tmp_path / "card.yaml")], teachers=mine))
    assert list(tasks) == ["rte", "puns"]
    assert planned.teachers.tasks == ("puns", "rte")


def test_an_unknown_task_is_an_error_with_what_was_meant():
    with pytest.raises(CardError, match="rtee: no such task or card; did you mean 'rte'"):
        plan_tasks(recipe(tasks=["rtee"]))


def test_a_task_stands_once_even_by_another_name(tmp_path):
    (tmp_path / "card.yaml").write_text(OWN_CARD.replace("puns", "rte"), "utf-8")
    assert "tasks: rte stands twice" in faults(recipe(tasks=["rte", "rte", "cola"]))
    assert "tasks: rte stands twice" in faults(recipe(tasks=["rte", str(tmp_path / "card.yaml")]))


def test_ax_needs_mnli_whose_head_predicts_it():
    line = "tasks: ax is predicted by the head of mnli: add mnli, or leave ax out"
    assert line in faults(recipe(tasks=["rte", "ax"]))
    plan_tasks(recipe(tasks=["rte", "mnli", "ax"]))


def test_ax_alone_leaves_nothing_to_train_on():
    lines = faults(recipe(tasks=["ax"], teachers=None))
    assert lines == ["tasks: ax is predicted by the head of mnli: add mnli, or leave ax out"]


def test_a_head_is_not_lent_to_labels_in_another_order(tmp_path):
    """The same head with permuted labels would score at chance or below, without an error."""
    card = OWN_CARD.replace('["no", "yes"]', "[neutral, entailment, contradiction]").replace(
        "files:", "head_of: mnli\nfiles:"
    )
    card = card.replace("  train: {path: train.tsv}\n  dev: {path: dev.tsv}\n",
                        "  test: {path: test.tsv, labelled: false}\n")  # fmt: skip
    (tmp_path / "card.yaml").write_text(card.replace("[text]", "[one, two]"), "utf-8")
    lines = faults(recipe(tasks=["rte", "mnli", str(tmp_path / "card.yaml")]))
    assert any("in that order, not neutral, entailment, contradiction" in line for line in lines)


# --- cutting --------------------------------------------------------------------------------------


def test_lists_of_tasks_are_cut_to_the_recipes_tasks_and_it_is_logged(caplog):
    student = {"encoder": "e", "tasks": ["cola", "rte", "wnli"]}
    with caplog.at_level(logging.INFO):
        planned, _ = plan_tasks(recipe(tasks=["rte"], student=student))
    assert planned.teachers.tasks == ("rte",)
    assert planned.teachers.select.by == ("rte",)
    assert planned.student.tasks == ("rte",)
    assert caplog.messages == [
        "teachers.select.by: without cola, not among tasks",
        "teachers.tasks: without mrpc, not among tasks",
        "student.tasks: without cola, wnli, not among tasks",
    ]


def test_nothing_is_cut_where_all_is_there(caplog):
    given = recipe()
    with caplog.at_level(logging.INFO):
        planned, _ = plan_tasks(given)
    assert planned == given
    assert caplog.messages == []


def test_nothing_but_the_lists_is_changed():
    given = recipe(tasks=["rte"], seed=7, training={"epochs": 3})
    planned, _ = plan_tasks(given)
    assert planned.model_dump(exclude={"teachers"}) == given.model_dump(exclude={"teachers"})
    assert planned.teachers.candidates == given.teachers.candidates


def test_a_list_cut_to_nothing_is_an_error():
    lines = faults(recipe(tasks=["stsb"], student={"encoder": "e", "tasks": ["wnli"]}))
    assert lines == [
        "teachers.select.by: none of rte, cola is among tasks (stsb)",
        "teachers.tasks: none of rte, mrpc is among tasks (stsb)",
        "student.tasks: none of wnli is among tasks (stsb)",
    ]


def test_what_candidates_are_chosen_by_may_be_cut_to_nothing_where_all_are_kept():
    select = {"keep": 2, "by": ["cola"]}
    planned, _ = plan_tasks(recipe(tasks=["rte"], teachers=teachers(select=select)))
    assert planned.teachers.select.by == ()


def test_ax_cannot_be_taught():
    lines = faults(recipe(tasks=["rte", "mnli", "ax"], teachers=teachers(tasks=["ax"])))
    assert lines == ["teachers.tasks: none of ax is among tasks (rte, mnli)"]


def test_an_unknown_task_in_a_list_is_not_cut_but_an_error():
    lines = faults(
        recipe(teachers=teachers(tasks=["rte", "mprc"], select={"keep": 2, "by": ["zzz"]}))
    )
    assert "teachers.tasks: unknown task 'mprc'; did you mean 'mrpc'?" in lines
    assert "teachers.select.by: unknown task 'zzz'" in lines


def test_a_task_stands_once_in_every_list():
    student = {"encoder": "e", "tasks": ["cola", "cola", "rte"]}
    twice = teachers(tasks=["rte", "mrpc", "rte"])
    assert faults(recipe(teachers=twice, student=student)) == [
        "teachers.tasks: rte stands twice",
        "student.tasks: cola stands twice",
    ]


# --- heads, weights, main task, submission --------------------------------------------------------


@pytest.mark.parametrize("place", ["student", "teachers"])
@pytest.mark.parametrize(
    ("task", "head"), [("cola", {"type": "san"}), ("stsb", {"type": "ranking"})]
)
def test_a_head_that_does_not_fit_its_task_is_refused(place, task, head):
    heads = {task: head}
    part = {"encoder": "e", "heads": heads} if place == "student" else teachers(heads=heads)
    (line,) = faults(recipe(**{place: part}))
    assert line.startswith(f"{place}.heads.{task}: ")


def test_a_head_that_fits_is_accepted():
    plan_tasks(recipe(student={"encoder": "e", "heads": {"rte": {"type": "san"}}}))


def test_heads_and_weights_of_unknown_tasks_are_refused_and_of_cut_ones_kept():
    student = {"encoder": "e", "heads": {"mprc": {"pooling": "mean"}, "wnli": {"pooling": "mean"}}}
    training = {"task_weights": {"colla": 2.0, "wnli": 1.0}}
    assert faults(recipe(student=student, training=training)) == [
        "student.heads.mprc: no such task; did you mean 'mrpc'?",
        "training.task_weights.colla: no such task; did you mean 'cola'?",
    ]


MAIN = {"strategy": "main_auxiliary", "main": "wnli", "ratio": 0.5}


@pytest.mark.parametrize("place", ["training", "student.training", "teachers.finetune_training"])
def test_the_main_task_is_one_of_the_tasks(place):
    first, _, rest = place.partition(".")
    part: dict[str, object] = {"sampling": MAIN}
    if first == "student":
        part = {"encoder": "e", rest: part}
    elif first == "teachers":
        part = teachers(**{rest: part})
    assert faults(recipe(**{first: part})) == [f"{place}.sampling.main: wnli is not among tasks"]


@pytest.mark.parametrize("place", ["training", "student"])
def test_the_main_task_is_trained_with_the_student(place):
    sampling = {"sampling": {**MAIN, "main": "rte"}}
    student = {"encoder": "e", "tasks": ["cola", "mrpc"]}
    given = (
        recipe(student=student, training=sampling)
        if place == "training"
        else recipe(student={**student, "training": sampling})
    )
    assert faults(given) == ["student.tasks: without rte, the sampling.main of its training"]


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ("baseline", "submission.model: baseline, but baseline is false"),
        ("student_finetuned", "submission.model: student_finetuned, but student.finetune is false"),
    ],
)
def test_a_submission_is_made_by_a_model_that_will_be_there(model, fault):
    assert faults(recipe(submission={"model": model})) == [fault]
    student = {"encoder": "e", "finetune": True}
    plan_tasks(recipe(submission={"model": model}, student=student, baseline=True))


def test_all_faults_come_together():
    lines = faults(
        recipe(
            tasks=["rte", "ax", "cola"],
            teachers=teachers(tasks=["rtee"], heads={"cola": {"type": "san"}}),
            submission={"model": "baseline"},
        )
    )
    assert [line.split(":")[0] for line in lines] == [
        "tasks",
        "teachers.tasks",
        "teachers.tasks",
        "teachers.heads.cola",
        "submission.model",
    ]
