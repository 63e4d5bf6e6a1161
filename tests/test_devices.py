import pytest
import torch

from mtkd.devices import resolve_precision, start_accelerator


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_precision_that_is_asked_for_is_given(precision):
    assert resolve_precision(precision) == precision


@pytest.mark.parametrize(("capable", "precision"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_bf16_only_where_the_processor_multiplies_it(capable, precision, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": capable})
    assert resolve_precision("auto") == precision


@pytest.mark.parametrize(("capable", "precision"), [(True, "bf16"), (False, "fp32")])
def test_auto_takes_no_emulated_bf16_of_a_gpu(capable, precision, monkeypatch):
    def supported(*, including_emulation: bool) -> bool:
        return capable or including_emulation

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert resolve_precision("auto") == precision


def test_the_second_accelerator_of_a_process_has_its_own_precision():
    """accelerate would give it the first one's without a word."""
    for precision, expected in (("fp32", "no"), ("bf16", "bf16"), ("fp32", "no")):
        assert start_accelerator(precision).mixed_precision == expected
