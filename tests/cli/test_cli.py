"""The command line as a user meets it: exit codes, messages, JSON, and how fast it answers."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mtkd import __version__, cli
from mtkd.errors import Interrupted
from mtkd.stages import Run
from tests.carry_out import carried_out
from tests.cli.process import code_of, mtkd


def heavy_imports(*arguments: str) -> list[str]:
    """Return which of the packages that take a second to import a command imports."""
    script = (
        "import sys\n"
        "from mtkd.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end\n"
        "heavy = {'torch', 'transformers', 'datasets', 'pandas', 'scipy.special'}\n"
        "print(*(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


def test_help_needs_no_heavy_import() -> None:
    assert heavy_imports("--help") == []


def test_to_look_at_a_run_needs_no_heavy_import(finished_run: Run) -> None:
    assert heavy_imports("status", str(finished_run.folder)) == []


def test_misspelt_keys_are_all_reported_fast_with_suggestions(tmp_path: Path) -> None:
    started = time.monotonic()
    done = mtkd("run", "quickstart", "soft_labels.temprature=2", "trainig.epochs=x", cwd=tmp_path)
    seconds = time.monotonic() - started
    assert done.returncode == 2
    assert "soft_labels.temprature" in done.stderr
    assert "'temperature'" in done.stderr
    assert "trainig" in done.stderr
    assert "'training'" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []  # nothing half-written
    assert seconds < 10  # under 2 on an idle machine; here others may be at work


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "quickstrat"), "did you mean 'quickstart'"),
        (("run", "quickstart", "tasks=[rte,colla]"), "did you mean 'cola'"),
        (("run", "quickstart", "student.encoder=nobody/nothing"), "HF_HUB_OFFLINE is set"),
        (("run", "quickstart", "student.encoder=./nothing"), "no such directory"),
        (("run", "glue_small", "data.root=nowhere"), "no such file"),
        (("run", "quickstart", "data.max_length=many"), "data.max_length"),
        (("run", "quickstart", "teachers.candidates.7.dropout=0.1"), "no such position"),
        (("validate", "nothing.zip"), "nothing.zip"),
        (("nonsense",), "No such command"),
    ],
)
def test_wrong_input_ends_with_2_and_a_message_and_writes_nothing(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert code_of(monkeypatch, *arguments) == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_tasks_and_recipes_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, "tasks") == 0
    listed = capsys.readouterr().out
    assert all(f" {name} " in listed for name in ("cola", "mnli", "stsb", "ax"))
    assert code_of(monkeypatch, "recipes") == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("quickstart", "glue_small", "glue_kd", "bam"))


def test_status_in_json_names_every_artefact(
    finished_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, "status", str(finished_run.folder), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [part["artefact"] for part in found["select"]] == ["selection.json"]
    assert {part["state"] for parts in found.values() for part in parts} == {"done"}


def test_status_says_which_key_made_a_stage_stale(
    finished_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(finished_run.folder)
    assert code_of(monkeypatch, "status", folder, "soft_labels.temperature=2", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    soft = next(part for part in found["soften"] if part["artefact"] == "soft_labels/rte")
    assert (soft["state"], soft["why"]) == ("stale", "soft_labels.temperature: 1.0 -> 2.0")


def test_evaluate_in_json_is_the_metrics_file(
    finished_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, "evaluate", str(finished_run.folder), "--json") == 0
    metrics = json.loads((finished_run.folder / "evaluation" / "metrics.json").read_text())
    assert json.loads(capsys.readouterr().out) == metrics
    assert set(metrics["models"]["student"]) >= {"rte/dev", "mnli/dev_matched", "stsb/dev"}


def test_a_dry_run_makes_nothing(
    finished_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = str(finished_run.folder / "recipe.yaml")
    place = tmp_path / "other"
    assert code_of(monkeypatch, "run", recipe, "--run-dir", str(place), "--dry-run") == 0
    shown = capsys.readouterr().out
    assert not place.exists()
    lines = {line.split()[1]: line.split() for line in shown.splitlines() if len(line.split()) > 2}
    student = lines["student"]
    rows = {place.split("/")[0]: cells[2:4] for place, cells in lines.items()
            if place.endswith("uncased/rte")}  # fmt: skip
    assert rows == {"prepared": ["missing", "72"], "prepared_test": ["missing", "16"]}  # 48 + 24
    assert student[2:4] == ["missing", "12"]  # 4 tasks of 48 rows, in batches of 16


def test_validate_compares_a_capped_submission_with_its_test_files(
    finished_run: Run,
    tiny_glue: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archive = str(finished_run.folder / "submission.zip")
    assert code_of(monkeypatch, "validate", archive, "--json") == 2  # not the official row counts
    assert not json.loads(capsys.readouterr().out)["valid"]
    assert code_of(monkeypatch, "validate", archive, "--data", str(tiny_glue), "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["valid"]
    assert not report["complete"]


@pytest.mark.parametrize("task", ["cola", "stsb", "mnli"])
def test_an_exported_task_gives_the_same_logits_by_transformers_alone(
    task: str, finished_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from mtkd.model import MultiTaskModel

    folder, to = finished_run.folder, tmp_path / "exported"
    assert code_of(monkeypatch, "export", str(folder), "--task", task, "--to", str(to)) == 0
    ours = MultiTaskModel.load(folder / "student_finetuned" / task)
    theirs = AutoModelForSequenceClassification.from_pretrained(to).eval()
    texts = ["the cat sleeps .", "a dog sees no bird ."]
    inputs = AutoTokenizer.from_pretrained(to)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = ours(task, segments=torch.ones_like(inputs["input_ids"]), **inputs)
        found = theirs(**inputs).logits
    assert torch.allclose(expected, found, atol=1e-5)
    labels = list(finished_run.tasks[task].labels) or ["score"]
    assert list(theirs.config.id2label.values()) == labels


def test_export_refuses_what_transformers_has_no_class_for(
    finished_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("export", str(finished_run.folder), "--task", "rtee", "--to", str(tmp_path / "x"))
    assert code_of(monkeypatch, *arguments) == 2
    assert not (tmp_path / "x").exists()


def test_the_student_loads_with_transformers_alone(finished_run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "student"
    shutil.copytree(finished_run.folder / "student", copy)
    script = (
        "import sys, torch; from transformers import AutoModel, AutoTokenizer\n"
        f"m = AutoModel.from_pretrained({str(copy)!r}).eval()\n"
        f"t = AutoTokenizer.from_pretrained({str(copy)!r})\n"
        "with torch.inference_mode():\n"
        "    h = m(**t('the cat sleeps', return_tensors='pt')).last_hidden_state\n"
        "assert 'mtkd' not in sys.modules\n"
        "print(h.sum().item())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    from mtkd.model import MultiTaskModel

    encoder = MultiTaskModel.load(copy).encoder
    from transformers import AutoTokenizer

    inputs = AutoTokenizer.from_pretrained(copy)("the cat sleeps", return_tensors="pt")
    with torch.inference_mode():
        expected = encoder(**inputs).last_hidden_state.sum().item()
    assert float(done.stdout.splitlines()[-1]) == pytest.approx(expected, abs=1e-6)


def test_two_processes_carry_out_a_pipeline(tiny_recipe: Path, tmp_path: Path) -> None:
    launch = [
        sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2",
        "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
        "--main_process_port", "0",
    ]  # fmt: skip
    overrides = ["tasks=[rte,cola]", "teachers.select.by=[rte]", "student.finetune=false"]
    command = ["-m", "mtkd", "run", str(tiny_recipe), *overrides, "--run-dir", "two"]
    done = subprocess.run(
        [*launch, *command], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert done.returncode == 0, done.stderr
    shown = [line for line in done.stdout.splitlines() if line.startswith(" average")]
    assert len(shown) == 1  # the table is printed by the main process alone
    log = (tmp_path / "two" / "student" / "log.jsonl").read_text().splitlines()
    assert sum("loss" in line for line in log) == 6  # 2 tasks of 48 rows, in batches of 16
    assert (
        mtkd("validate", "two/submission.zip", cwd=tmp_path).returncode == 2
    )  # 16 rows are not a test set


def test_ctrl_c_saves_says_how_to_go_on_and_changes_nothing(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    overrides = ["tasks=[rte,cola]", "teachers.select.by=[rte]", "training.epochs=40",
                 "teachers.training.epochs=1", "training.log_every=1",
                 "student.finetune=false", "baseline=false"]  # fmt: skip
    carried_out(tiny_recipe, tmp_path / "whole", *overrides, last="distill")
    command = [sys.executable, "-m", "mtkd", "distill", str(tiny_recipe), *overrides]
    with subprocess.Popen(
        [*command, "--run-dir", "cut"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as started:
        journal = tmp_path / "cut" / ".partial" / "student" / "log.jsonl"
        deadline = time.monotonic() + 90
        while not (journal.is_file() and journal.read_text().count("loss") > 8):
            assert started.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "ends this step, saves and stops" in said
    assert f"Go on with: {sys.executable} -m mtkd distill" in said
    assert not (tmp_path / "cut" / "student").exists()
    again = subprocess.run([*command, "--run-dir", "cut"], cwd=tmp_path, capture_output=True)
    assert again.returncode == 0
    assert b"goes on from step" in again.stderr
    for name in ("model.safetensors", "log.jsonl", "metrics.json"):
        one, other = (tmp_path / run / "student" / name for run in ("whole", "cut"))
        assert one.read_bytes() == other.read_bytes()


def test_a_run_directory_is_no_submission_but_holds_one(
    finished_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, "validate", str(finished_run.folder)) == 2
    assert "did you mean" in capsys.readouterr().err


def test_the_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    ("started_as", "found", "told"),
    [("/there/bin/mtkd", "/there/bin/mtkd", "mtkd"), (".venv/bin/mtkd", None, ".venv/bin/mtkd"),
     ("/there/mtkd/__main__.py", None, f"{sys.executable} -m mtkd")],
)  # fmt: skip
def test_the_command_that_goes_on_can_be_typed_where_no_environment_is_active(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    started_as: str,
    found: str | None,
    told: str,
) -> None:
    def stopped() -> None:
        raise Interrupted("saved at step 3 of 9")

    monkeypatch.setattr(sys.modules["mtkd.cli.app"], "app", stopped)
    monkeypatch.setattr("shutil.which", lambda name: found)
    monkeypatch.setattr(sys, "argv", [started_as, "run", "a b"])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err == f"saved at step 3 of 9. Go on with: {told} run 'a b'\n"


def test_with_a_launcher_the_first_process_says_how_to_go_on_and_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped() -> None:
        raise Interrupted("saved at step 3 of 9")

    monkeypatch.setattr(sys.modules["mtkd.cli.app"], "app", stopped)
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, expected in (("0", 1), ("1", 0)):
        monkeypatch.setenv("RANK", rank)
        assert code_of(monkeypatch, "run", "quickstart") == 130
        said = capsys.readouterr().err
        assert said.count("accelerate launch (as before, 2 processes) -m mtkd run quickstart") == (
            expected
        )
