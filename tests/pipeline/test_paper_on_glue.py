"""The paper's recipe on official files, its encoders replaced by tiny ones: MTKD_GLUE=glue_data."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from mtkd.submission import validate
from tests.carry_out import carried_out

GLUE = os.environ.get("MTKD_GLUE")
TASKS = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli", "ax")
FOLDERS = {"ax": "diagnostic", "cola": "CoLA", "sst2": "SST-2", "stsb": "STS-B"}


@pytest.mark.skipif(GLUE is None, reason="MTKD_GLUE names no glue_data folder")
def test_every_stage_of_the_paper_runs(
    tiny_encoder: str, tiny_cased_encoder: str, tmp_path: Path
) -> None:
    assert GLUE is not None
    here = [t for t in TASKS if (Path(GLUE) / FOLDERS.get(t, t.upper())).is_dir()]
    candidates = [
        f"teachers.candidates.{i}.encoder={tiny_encoder if i < 3 else tiny_cased_encoder}"
        for i in range(6)
    ]
    place = Path(os.environ.get("MTKD_RUN_DIR", tmp_path / "glue_kd"))
    run = carried_out(
        "glue_kd",
        place,
        *candidates,
        f"student.encoder={tiny_encoder}",
        f"tasks=[{','.join(here)}]",
        f"data.root={GLUE}",
        "data.max_rows.train=64",
    )
    stores = [pd.read_parquet(place / "soft_labels" / t / "train.parquet") for t in ("rte", "mnli")]
    assert [len(store) for store in stores] == [64, 64]
    assert {len(logits) for store in stores for logits in store["logits"]} == {3}
    report = validate(place / "submission.zip")
    with_tests = {
        part.file
        for task in run.tasks.values()
        for part in task.submission
        if (Path(GLUE) / task.files[part.split].path).is_file()
    }
    assert {f.file for f in report.files if f.status != "missing"} == with_tests
    assert report.problems == ()
