from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from explorer.data.streaming import share_of, usual_workers
from explorer.errors import InputError
from explorer.training.batch_norm import normalise_over_processes
from explorer.training.device import training_threads
from explorer.training.events import Evaluating
from explorer.training.others_folder import OthersFolder
from explorer.training.processes import ALONE, Processes, join
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 64, 65])
def test_a_batch_is_shared_out_and_counts_once(size: int, count: int) -> None:
    images = list(range(size))
    shares = [images[share_of(size, rank, count)] for rank in range(count)]
    weights = [Processes(rank, count).weight(size) for rank in range(count)]
    assert all(shares)
    assert sum(weights) == pytest.approx(1)
    if size < count:
        assert all(share == images for share in shares)
    else:
        assert sorted(chain(*shares)) == images
        assert [len(share) / size for share in shares] == weights


def test_one_process_agrees_with_itself() -> None:
    assert ALONE.alone
    assert ALONE.first
    assert (ALONE.total(3), ALONE.gather("it"), ALONE.of_first(lambda: "it")) == (3, ["it"], "it")
    steps = ALONE.in_step(Evaluating(1, 2))
    assert next(steps) == Evaluating(1, 2)
    with pytest.raises(StopIteration) as stop:
        steps.send("answer")
    assert stop.value.value == "answer"


def test_without_torchrun_there_is_one_process_and_nothing_to_divide() -> None:
    assert join("cpu") == ALONE
    with pytest.raises(InputError, match="there is but one process, and nothing to divide: start several with"):
        join("cpu", sharded=True)


def test_processes_of_a_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)), raising=False)
    assert (training_threads(0), usual_workers()) == (15, 15)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert (training_threads(0), usual_workers()) == (4, 3)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "32")
    assert (training_threads(0), usual_workers(), training_threads(2)) == (1, 1, 2)


def test_the_others_leave_the_folder_alone(tmp_path: Path) -> None:
    folder = RunFolder.create(Recipe(), tmp_path)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    other = OthersFolder(folder.path)
    other.rewind(0, 0)
    other.append(Evaluating(1, 2))
    other.save_checkpoint({})
    other.save_best({}, None)  # type: ignore[arg-type]
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


class Sums:
    """Stands for torch's `all_reduce` among threads, each of which plays a process."""

    def __init__(self, count: int) -> None:
        self._meeting = threading.Barrier(count, timeout=30)
        self._values: list[Tensor] = []

    def __call__(self, values: Tensor) -> None:
        self._values.append(values.clone())
        self._meeting.wait()
        total = torch.stack(self._values).sum(0)
        self._meeting.wait()
        self._values.clear()
        self._meeting.wait()
        values.copy_(total)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_normalisation_over_shares_is_that_of_the_whole_batch(
    monkeypatch: pytest.MonkeyPatch, momentum: float | None
) -> None:
    monkeypatch.setattr("torch.distributed.all_reduce", Sums(2))
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3),
        nn.BatchNorm2d(5, momentum=momentum),
        nn.Conv2d(5, 6, 3),
        BatchNormAct2d(6),
        nn.BatchNorm2d(6, affine=False),
        nn.Flatten(),
        nn.Linear(96, 7),
        nn.BatchNorm1d(7, track_running_stats=False),
    ).double()
    nn.init.uniform_(network[1].weight)
    images, factors = torch.randn(7, 3, 8, 8).double() + 3, torch.randn(7, 7).double()
    shares = [normalise_over_processes(copy.deepcopy(network), "cpu") for _ in range(2)]

    def take(rank: int) -> Tensor:
        outputs: Tensor = shares[rank](images[rank::2])
        (outputs * factors[rank::2]).sum().backward()
        return outputs

    with ThreadPoolExecutor(2) as pool:
        ours = list(pool.map(take, range(2)))
    expected = network(images)
    (expected * factors).sum().backward()
    for rank in range(2):
        torch.testing.assert_close(ours[rank], expected[rank::2])
        torch.testing.assert_close(shares[rank].state_dict(), network.state_dict())
    for whole, *parts in zip(network.parameters(), *(share.parameters() for share in shares), strict=True):
        torch.testing.assert_close(sum(part.grad for part in parts), whole.grad)
    network.eval()
    torch.testing.assert_close(shares[0].eval()(images), network(images))
