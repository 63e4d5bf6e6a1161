"""TextBrewer's MultiTeacherDistiller: teachers run anew for every batch.

As its GLUE example has it: fp32, every row padded to the maximum length, AdamW, cross-entropy with
the teachers' mean at T = 1 and the gold loss. At mtkd's own number format: every model's forward
under bf16 autocast, batches padded to their longest row, a fused optimiser.
"""

from __future__ import annotations

import tempfile
from typing import Any

import torch

from benchmarks.peers.run_glue import BATCH, classifier, pad_to_max
from benchmarks.rows import ENCODER, TaskRows
from benchmarks.steps import watch_steps
from mtkd.devices import resolve_precision
from mtkd.encoders import load_tokenizer


def distil_steps(rows: TaskRows, teachers: int, *, best: bool) -> list[float]:
    """Return the seconds of each step of one epoch but for the first, which waits for set-up."""
    from textbrewer import DistillationConfig, MultiTeacherDistiller, TrainingConfig

    device = "cuda" if torch.cuda.is_available() else "cpu"
    models = [classifier(rows).to(device) for _ in range(1 + teachers)]
    if best and resolve_precision("auto") == "bf16":
        for model in models:
            model.forward = torch.autocast(device, torch.bfloat16)(model.forward)  # type: ignore[method-assign]
    student = models[0]
    with tempfile.TemporaryDirectory() as folder, watch_steps() as steps:
        distiller = MultiTeacherDistiller(
            # no checkpoints: mtkd writes none here either
            TrainingConfig(output_dir=folder, device=device, ckpt_frequency=0),
            DistillationConfig(temperature=1, kd_loss_type="ce", hard_label_weight=0.5,
                               kd_loss_weight=0.5),
            models[1:],
            student,
            _teacher_outputs,
            _student_outputs,
        )  # fmt: skip
        optimizer = torch.optim.AdamW(student.parameters(), lr=5e-5, fused=best or None)
        loader = _loader(rows, best)
        with distiller:
            distiller.train(optimizer, loader, num_epochs=1)
    return steps.seconds(len(loader))


def _loader(rows: TaskRows, best: bool) -> Any:
    from torch.utils.data import DataLoader
    from transformers import DataCollatorWithPadding, default_data_collator

    dataset = rows.dataset()
    if best:
        collate = DataCollatorWithPadding(load_tokenizer(ENCODER))
        dataset = dataset.remove_columns("length")
    else:
        collate, dataset = default_data_collator, pad_to_max(dataset)
    # TextBrewer asks for exactly a dict
    return DataLoader(
        dataset, BATCH, shuffle=True, collate_fn=lambda batch: dict(collate(list(batch)))
    )


def _teacher_outputs(batch: Any, outputs: Any) -> dict[str, Any]:
    return {"logits": outputs.logits.float()}


def _student_outputs(batch: Any, outputs: Any) -> dict[str, Any]:
    return {"logits": outputs.logits.float(), "losses": outputs.loss}
