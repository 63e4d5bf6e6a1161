"""inspect and import-soft-labels, as a user calls them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mtkd.soft_labels import read_info
from mtkd.stages import Run
from tests.cli.process import code_of


@pytest.fixture
def store(finished_run: Run) -> str:
    return str(finished_run.folder / "soft_labels/rte/train.parquet")


def test_a_runs_stores_are_reported_within_100_columns(
    finished_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, "inspect", str(finished_run.folder)) == 0
    said = capsys.readouterr().out
    for heading in ("rte/train  48 rows", "rte/dev  24 rows", "stsb/train", "stsb/dev"):
        assert heading in said
    assert "Cohen's kappa" in said
    assert max(map(len, said.splitlines())) <= 100


def test_json_goes_to_stdout_alone_and_holds_every_store(
    finished_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(finished_run.folder / "soft_labels")
    assert code_of(monkeypatch, "inspect", folder, "--json") == 0
    content = json.loads(capsys.readouterr().out)
    found = {(s["provenance"]["task"], s["provenance"]["split"]): s for s in content}
    assert set(found) == {(t, s) for t in ("rte", "stsb") for s in ("train", "dev")}
    assert found["rte", "dev"]["models"][-1]["name"] == "ensemble"
    assert isinstance(found["rte", "train"]["label_errors"], int)


@pytest.mark.parametrize("rows", ["top-disagreement", "top-label-errors", "random"])
def test_rows_are_shown_with_the_texts_of_the_run_that_the_store_lies_in(
    store: str, rows: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, "inspect", store, "--rows", rows, "--limit", "2", "--json") == 0
    ((content),) = json.loads(capsys.readouterr().out)
    assert len(content["rows"]) <= 2
    for row in content["rows"]:
        assert len(row["texts"]) == 2
        assert row["guid"].startswith("rte/train/")


def test_named_rows_are_printed_and_a_misspelt_order_is_corrected(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, "inspect", store, "--rows", "rte/train/3,rte/train/1") == 0
    said = capsys.readouterr().out
    assert said.index("rte/train/3 ") < said.index("rte/train/1 ")
    assert code_of(monkeypatch, "inspect", store, "--rows", "top-disagrement") == 2
    assert "did you mean 'top-disagreement'" in capsys.readouterr().err


def test_rows_go_to_a_csv_file_all_or_chosen(
    store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "rte.csv"
    assert code_of(monkeypatch, "inspect", store, "--csv", str(path)) == 0
    with path.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 48
    chosen = ["--rows", "random", "--limit", "5", "--csv", str(path)]
    assert code_of(monkeypatch, "inspect", store, *chosen) == 0
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert rows[0]["text_2"]


def test_plots_are_written(store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert code_of(monkeypatch, "inspect", store, "--plot", str(tmp_path)) == 0
    for picture in ("reliability", "distributions", "agreement", "map"):
        for suffix in ("png", "svg"):
            assert (tmp_path / f"rte-train-{picture}.{suffix}").stat().st_size > 1000


def test_two_stores_are_compared(
    finished_run: Run,
    store: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert code_of(monkeypatch, "inspect", store, store, "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["rows"], content["differences"]) == (48, [])
    other = str(finished_run.folder / "soft_labels/stsb/train.parquet")
    assert code_of(monkeypatch, "inspect", store, other) == 2
    assert "one task" in capsys.readouterr().err


def test_what_inspect_wrote_as_csv_can_be_imported_and_trained_on(
    finished_run: Run,
    store: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "rte.csv"
    assert code_of(monkeypatch, "inspect", store, "--csv", str(path)) == 0
    capsys.readouterr()
    arguments = ["--task", "rte", "--data", str(finished_run.folder)]
    assert code_of(monkeypatch, "import-soft-labels", str(path), *arguments) == 0
    made = tmp_path / "rte-train.soft_labels.parquet"
    assert f"soft_labels.imported.rte={made}" in capsys.readouterr().out
    info = read_info(made)
    assert (info.rows, info.source) == (48, "imported")
    assert info.data_fingerprint == read_info(Path(store)).data_fingerprint
