"""The processes that train one network together, as torchrun starts them; usually there is but one.

Each has the whole network, or with sharding its part of every layer, and takes its share of every batch. What is done
together must be done by all of them at the same step: nothing may depend on one process's clock, disk or user alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from explorer.data.streaming import share_of
from explorer.errors import InputError
from explorer.training.device import Device, choose_device
from explorer.training.errors import StoppedError, TrainingError
from explorer.training.recipe import Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import Tensor
    from torch.distributed import ProcessGroup

T = TypeVar("T")

PATIENCE = timedelta(days=1)
"""How long the others wait for one of them that fetches a dataset; one that ends is noticed at once."""
MOST_STEPS = 1000
"""Between two reports."""


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    """Of this one, from 0; the first alone writes files."""
    count: int = 1
    local_rank: int = 0
    """Among those of this machine."""
    local_count: int = 1
    sharded: bool = False
    """Whether weights, gradients and the optimiser's state are divided among them."""
    group: ProcessGroup | None = field(default=None, compare=False)
    """What they agree by, on the CPU whatever they train on."""

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self.count == 1

    @property
    def first(self) -> bool:
        """Whether this is the one that reads and writes the run's folder."""
        return self.rank == 0

    def share(self, size: int) -> slice:
        """Returns which images of a batch are this process's."""
        return share_of(size, self.rank, self.count)

    def weight(self, size: int) -> float:
        """Returns how much the mean over this process's share counts in the mean over a batch; the sum is 1.

        A batch that is everybody's as a whole is counted by the first process; only the running variance of batch
        normalisation, which is corrected for the number of images, takes the repeated ones for new.
        """
        if size < self.count:
            return float(self.first)
        return len(range(self.rank, size, self.count)) / size

    def sum(self, values: Tensor) -> Tensor:
        """Adds up a tensor over all processes, in place, on the device where it is."""
        if not self.alone:
            from torch import distributed

            distributed.all_reduce(values)
        return values

    def total(self, number: int) -> int:
        """Returns the sum of a whole number over all processes."""
        if self.alone:
            return number
        import torch
        from torch import distributed

        total = torch.tensor(number, dtype=torch.int64)
        distributed.all_reduce(total, group=self.group)
        return int(total)

    def gather(self, value: T) -> list[T]:
        """Returns what each of them has, in their order."""
        if self.alone:
            return [value]
        from torch import distributed

        values: list[Any] = [None] * self.count
        distributed.all_gather_object(values, value, group=self.group)
        return values

    def of_first(self, action: Callable[[], T]) -> T:
        """Returns to all of them what the first one's action gives; it is not done by the others.

        Raises:
            InputError, TrainingError: in all of them, where the action raises it.
        """
        if self.alone:
            return action()
        from torch import distributed

        answer: list[Any] = [None, None]
        if self.first:
            try:
                answer[0] = action()
            except (InputError, TrainingError) as error:
                answer[1] = error
        distributed.broadcast_object_list(answer, group=self.group)
        if answer[1] is not None:
            raise answer[1]
        result: T = answer[0]
        return result

    def fail_together(self, error: InputError | None) -> None:
        """Raises the first error that any of them has, in all of them; does nothing where none has one."""
        for found in self.gather(error):
            if found is not None:
                raise found

    def in_step(self, event: T) -> Generator[T, Any, Any]:
        """Yields an event that all of them yield, and returns the answer.

        Raises:
            StoppedError: the generator of another process was closed at this event.
        """
        if self.alone:
            return (yield event)
        closed = True
        try:
            answer = yield event
            closed = False
        finally:
            stopped = self.total(closed) > 0
        if stopped:
            raise StoppedError("another process of the job was told to end: the run is saved, go on with --resume")
        return answer

    def check(self, recipe: Recipe, device: Device) -> None:
        """Refuses what several processes cannot do together.

        Raises:
            InputError: the recipe has a setting of that kind.
        """
        if not self.alone and recipe.auxiliary == "in turn":
            raise InputError("auxiliary heads are trained in turn by one process alone: choose auxiliary=summed")
        if not self.sharded:
            return
        for name, wanted in (("average", recipe.average), ("unfreeze", recipe.unfreeze)):
            if wanted:
                raise InputError(f"a network that is divided among processes cannot have {name}: leave out --sharded")
        if device.precision == "16-mixed":
            raise InputError("a network that is divided among processes cannot have fp16: choose bf16 or 32")

    def fabric(self, device: Device) -> Fabric:
        """Returns Fabric for this device: for one process, for several (DDP), or for a divided network (FSDP)."""
        from lightning_fabric import Fabric

        precision: Any = device.precision
        if self.alone:
            return Fabric(accelerator=device.kind, devices=1, precision=precision)
        from lightning_fabric.strategies.ddp import DDPStrategy
        from lightning_fabric.strategies.model_parallel import ModelParallelStrategy

        from explorer.training.sharding import shard

        strategy: DDPStrategy | ModelParallelStrategy
        if self.sharded:
            strategy = ModelParallelStrategy(shard, data_parallel_size=self.count, tensor_parallel_size=1)
        else:  # layers are frozen, or left out by chance, so that a step may have no gradient for them
            strategy = DDPStrategy(find_unused_parameters=True)
        machines = self.count // self.local_count
        fabric = Fabric(
            accelerator=device.kind,
            devices=self.local_count,
            num_nodes=machines,
            strategy=strategy,
            precision=precision,
        )
        fabric.launch()
        return fabric


ALONE = Processes()


def launched() -> bool:
    """Returns whether torchrun has started this process together with others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def join(device: str = "auto", sharded: bool = False) -> Processes:
    """Meets the other processes that torchrun has started, and returns this one's place among them.

    Args:
        device: "cpu", "cuda" or "auto".
        sharded: divide the network among them.

    Raises:
        InputError: the device cannot be used by so many.
    """
    if not launched():
        if sharded:
            raise InputError("there is but one process, and nothing to divide: start several with torchrun")
        return ALONE
    import logging

    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # of unused parameters, and of connections that are lost
    import torch
    from torch import distributed

    rank, count, local_rank, local_count = (
        int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    )
    if count % local_count:
        raise InputError(f"{count} processes cannot be {local_count} on each machine: start as many on each of them")
    cuda = choose_device(device, "32").kind == "cuda"
    if cuda and local_count > torch.cuda.device_count():
        raise InputError(
            f"{local_count} processes on this machine need as many GPUs, it has {torch.cuda.device_count()}: "
            "choose --nproc-per-node accordingly, or --device cpu"
        )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    if cuda:
        torch.cuda.set_device(local_rank)
        distributed.init_process_group("nccl", device_id=torch.device("cuda", local_rank))
    else:
        distributed.init_process_group("gloo")
    group: Any = distributed.new_group(backend="gloo", timeout=PATIENCE)
    return Processes(rank, count, local_rank, local_count, sharded, group)


def leave(processes: Processes) -> None:
    """Parts from the others at the end of it all."""
    if not processes.alone:
        from torch import distributed

        distributed.destroy_process_group()


def is_lost(error: BaseException) -> bool:
    """Returns whether an exception says that another process has ended."""
    from torch import distributed

    text = str(error)
    return isinstance(error, distributed.DistError) or (
        isinstance(error, RuntimeError) and any(word in text for word in ("by peer", "gloo", "NCCL", "Broken pipe"))
    )


class Pace:
    """Says when a report is due: after so many seconds, or where there are several processes after as many steps.

    The first of them measures how many steps that is, and tells the others.
    """

    def __init__(self, processes: Processes, seconds: float) -> None:
        self._processes, self._seconds = processes, seconds
        self._wanted, self._steps = 1, 0
        self._since = time.perf_counter()

    def due(self) -> bool:
        """Returns whether a report is due after one more step."""
        self._steps += 1
        if self._processes.alone:
            return time.perf_counter() - self._since >= self._seconds
        return self._steps >= self._wanted

    def elapsed(self) -> float:
        """Returns the seconds since the last report."""
        return time.perf_counter() - self._since

    def begin(self, elapsed: float) -> None:
        """Begins anew after a report of steps that took so many seconds."""
        if not self._processes.alone:
            wanted = min(max(int(self._steps * self._seconds / max(elapsed, 1e-9)), 1), MOST_STEPS)
            self._wanted = self._processes.total(wanted if self._processes.first else 0)
        self._steps = 0
        self._since = time.perf_counter()
