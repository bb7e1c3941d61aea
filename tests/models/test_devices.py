"""Devices are named plainly, and one that is not there is said before anything is loaded."""

import pytest
import torch

from vlp.core.errors import MissingComponent, UsageError
from vlp.models.loading import find_device


@pytest.mark.parametrize("name", ["tpu", "mps", "xpu", "meta", "cpu:1", "cuda:x", "cuda:-1", "gpu", " "])
def test_only_cpu_and_cuda_are_devices(name: str):
    """Against: a model without numbers on "meta", and a list of torch's back ends for "tpu"."""
    with pytest.raises(UsageError) as caught:
        find_device(name)
    assert repr(name) in str(caught.value) and "Expected cpu, cuda" in str(caught.value) and len(str(caught.value)) < 120


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Against: a traceback from the driver for the number of a GPU that there is not."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert str(find_device("cuda:1")) == "cuda:1" and str(find_device(None)) == "cuda" and str(find_device("cpu")) == "cpu"
    with pytest.raises(MissingComponent, match="'cuda:2' is not there: torch sees 2 GPUs"):
        find_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert str(find_device(None)) == "cpu"
    with pytest.raises(MissingComponent, match="torch sees no GPU"):
        find_device("cuda")
