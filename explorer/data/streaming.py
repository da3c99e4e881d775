"""Image files that do not fit into memory, decoded batch by batch in worker processes.

Batch i of epoch e holds the same images whatever was read before, so that a run can go on in the middle of an epoch.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from types import TracebackType
from typing import TYPE_CHECKING, Any

from explorer.data.cores import available_cores, trainings_here
from explorer.data.decode import decode_file
from explorer.data.image_set import BrokenFile, FileSet
from explorer.data.preprocessing import Preprocessing
from explorer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

MAX_WORKERS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some decoded images."""

    images: Tensor
    """uint8 (B, C, H, W), on the CPU."""
    labels: Tensor
    """int64 (B,)."""
    indices: Tensor
    """int64 (B,): each image's place in the set."""


def epoch_order(images: int, seed: int, epoch: int) -> Tensor:
    """Returns the order in which an epoch (from 0) takes the images of a training set: int64 (N,)."""
    import torch

    return torch.randperm(images, generator=torch.Generator().manual_seed((seed * 1_000_003 + epoch) * 16 + 1))


def usual_workers() -> int:
    """Returns how many processes decode: one a core, those of the training threads left out.

    Where several trainings are on this machine, each of them gets its part.
    """
    return max(1, min(available_cores() // trainings_here() - 1, MAX_WORKERS))


def share_of(size: int, rank: int, count: int) -> slice:
    """Returns which images of a batch are those of one of `count` processes: every `count`-th.

    A batch with fewer images than there are processes is everybody's as a whole: nobody is without.
    """
    return slice(rank, size, count) if size >= count else slice(size)


class Stream:
    """Decoded batches of a set of files.

    Worker processes start with the first batch and stay until `close`, which leaves none; it is a context manager. It
    may be used in any thread, in one at a time. Files that cannot be read are left out of their batch, which is that
    much smaller, and listed in `broken`.
    """

    def __init__(
        self,
        files: FileSet,
        preprocessing: Preprocessing,
        batch_size: int,
        seed: int | None = None,
        workers: int | None = None,
        pin_memory: bool = False,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        """Prepares a stream; opens nothing yet.

        Args:
            files: what to decode.
            preprocessing: what the images are scaled and cropped to; they are not normalised.
            batch_size: images of a batch; the last of an epoch may be smaller.
            seed: of the order of each epoch; None for the set's own order, to evaluate.
            workers: processes that decode; 0 decodes in the calling thread; None for `usual_workers`.
            pin_memory: lay batches where a GPU can fetch them by itself.
            share: number of this process, from 0, and how many there are: each decodes its `share_of` every batch.
        """
        self.files = files
        self.batch_size = batch_size
        self.seed = seed
        self.broken: list[BrokenFile] = []
        """Files left out so far, each once."""
        self._preprocessing = preprocessing
        self._workers = usual_workers() if workers is None else workers
        self._pin_memory = pin_memory
        self._share = share
        self._sampler = _Batches()
        self._loader: Any = None
        self._running: Any = None
        self._turn = 0

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Returns the batches of an epoch, the last one of fewer images included."""
        return -(-len(self.files.files) // self.batch_size)

    def indices(self, epoch: int) -> list[Tensor]:
        """Returns the places in the set that each batch of an epoch (from 0) holds, here."""
        import torch

        count = len(self.files.files)
        order = torch.arange(count) if self.seed is None else epoch_order(count, self.seed, epoch)
        batches = (order[begin : begin + self.batch_size] for begin in range(0, count, self.batch_size))
        return [batch[share_of(len(batch), *self._share)] for batch in batches]

    def batches(self, epoch: int, start: int = 0, end: int | None = None) -> Iterator[Batch]:
        """Yields the batches of an epoch, from the `start`-th (from 0) to before the `end`-th.

        Closing the iterator, or asking for another one, ends this one; the processes stay.

        Raises:
            InputError: no file of a batch can be read, or a decoding process ended, for want of memory for instance.
        """
        chosen = self.indices(epoch)[start:end]
        self._sampler.batches = [batch.tolist() for batch in chosen]
        if not chosen:
            return
        if self._loader is None:
            self._loader = self._open()
        with _signals_held():
            self._running = iter(self._loader)
        running, self._turn = self._running, self._turn + 1
        turn = self._turn
        for _ in chosen:
            if turn != self._turn:  # another iterator has the processes now
                return
            try:
                images, places, broken = next(running)
            except (RuntimeError, OSError, EOFError) as error:  # which one depends on what it was doing as it ended
                if not self._workers:
                    raise
                self.close()
                raise InputError(
                    "a process that decodes images ended unexpectedly, perhaps for want of memory: "
                    "choose fewer workers or smaller batches"
                ) from error
            known = {file.path for file in self.broken}
            self.broken.extend(file for file in broken if file.path not in known)
            if not len(places):
                raise InputError(
                    f"none of the images of a batch can be read, {broken[0].path} for instance: "
                    "see that the dataset is still there"
                )
            yield Batch(images, self.files.labels[places], places)

    def close(self) -> None:
        """Ends the processes and waits for them; the stream can be used again."""
        running, self._running, self._loader = self._running, None, None
        self._turn += 1
        if running is not None and hasattr(running, "_shutdown_workers"):
            running._shutdown_workers()
            for process in running._workers:  # one that is slow to end has got a SIGTERM, which is held back
                process.kill()
                process.join()

    def _open(self) -> Any:
        from torch.utils.data import DataLoader

        return DataLoader(
            _Files(self.files.files, self._preprocessing),  # type: ignore[arg-type]
            batch_sampler=self._sampler,
            num_workers=self._workers,
            collate_fn=_as_it_is,
            pin_memory=self._pin_memory,
            worker_init_fn=_leave_interruption_to_the_parent,
            multiprocessing_context="spawn" if self._workers else None,
            persistent_workers=self._workers > 0,
        )


class _Batches:
    """The batches that the loader asks for next: it keeps its processes as long as this stays the same object."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Files:
    """What a decoding process holds: the files' names."""

    def __init__(self, files: tuple[str, ...], preprocessing: Preprocessing) -> None:
        self.files, self.preprocessing = files, preprocessing

    def __getitems__(self, places: list[int]) -> tuple[Tensor, Tensor, list[BrokenFile]]:
        """Decodes one batch: the images that can be read, their places in the set, and the other files."""
        import torch

        results = [(place, decode_file(self.files[place], self.preprocessing)) for place in places]
        images = [image for _, image in results if not isinstance(image, BrokenFile)]
        kept = [place for place, image in results if not isinstance(image, BrokenFile)]
        broken = [image for _, image in results if isinstance(image, BrokenFile)]
        stacked = torch.stack(images) if images else torch.empty((0, *self.preprocessing.input), dtype=torch.uint8)
        return stacked, torch.tensor(kept, dtype=torch.int64), broken


def _as_it_is(batch: Any) -> Any:
    return batch


@contextmanager
def _signals_held() -> Iterator[None]:
    """Holds SIGINT and SIGTERM back until afterwards; processes that are started meanwhile never get them.

    Terminals and service managers send them to every process there is, where the parent is to end its own.
    """
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # as it starts, it would let them through
    former = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _leave_interruption_to_the_parent(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where none can be held back
