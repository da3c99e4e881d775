from __future__ import annotations

import pytest
import torch

from explorer.errors import InputError
from explorer.training.device import choose_device, training_threads


@pytest.mark.parametrize(("precision", "named"), [("auto", "32-true"), ("32", "32-true"), ("bf16", "bf16-mixed")])
def test_processor_and_its_precision(precision: str, named: str) -> None:
    device = choose_device("cpu", precision)
    assert (device.kind, device.precision) == ("cpu", named)
    assert device.name


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"no CUDA device .* choose cpu or auto"):
        choose_device("cuda", "auto")
    assert choose_device("auto", "auto").kind == "cpu"


def test_half_precision_on_the_processor_is_refused() -> None:
    with pytest.raises(InputError, match="fp16 needs a CUDA device: choose 32 or bf16"):
        choose_device("cpu", "fp16")


def test_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match="device must be cpu, cuda or auto, not 'tpu'"):
        choose_device("tpu", "auto")


def test_wanted_threads_are_given_and_one_core_left_otherwise() -> None:
    assert training_threads(3) == 3
    assert training_threads(0) >= 1


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (3, 2), (16, 15)])
def test_a_core_is_left_to_the_window_where_there_are_several(
    cores: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert training_threads(0) == threads
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert training_threads(0) == 3
    assert training_threads(1) == 1
