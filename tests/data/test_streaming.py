"""Streamed batches are the same whatever was read before, in any number of processes, and leave none behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from explorer.data.decode import decode, plain
from explorer.data.image_set import FileSet, ImageSet
from explorer.data.streaming import Batch, Stream, epoch_order
from explorer.errors import InputError

INPUT = (3, 8, 8)


@pytest.fixture
def files(tmp_path: Path) -> FileSet:
    """Returns 23 files, each of a shade of its own."""
    names = []
    for number in range(23):
        names.append(str(tmp_path / f"{number:02}.png"))
        Image.new("RGB", (12, 9), (number * 10, 0, 0)).save(names[-1])
    return FileSet(tuple(names), torch.arange(23) % 4)


@pytest.fixture
def open_stream(files: FileSet) -> Callable[..., Stream]:
    """Returns a function that opens a stream of batches of five, decoded in this thread unless told otherwise."""
    return lambda seed=7, workers=0, of=files: Stream(of, plain(INPUT), 5, seed, workers)


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("images", "labels", "indices"))


def test_an_epoch_has_every_image_once_with_its_class(open_stream, files: FileSet) -> None:
    with open_stream() as stream:
        batches = list(stream.batches(0))
    assert [len(batch.labels) for batch in batches] == [5, 5, 5, 5, 3]
    assert len(stream) == 5
    places = torch.cat([batch.indices for batch in batches])
    assert sorted(places.tolist()) == list(range(23))
    assert torch.equal(torch.cat([batch.labels for batch in batches]), files.labels[places])
    images = torch.cat([batch.images for batch in batches])
    assert images.dtype == torch.uint8
    assert images.shape == (23, *INPUT)
    assert torch.equal(images[:, 0, 0, 0].long(), places * 10)


def test_images_are_those_of_a_set_decoded_as_a_whole(open_stream, files: FileSet, finish) -> None:
    _, (whole, broken) = finish(decode(files, INPUT))
    assert isinstance(whole, ImageSet)
    assert broken == ()
    with open_stream() as stream:
        for batch in stream.batches(3):
            assert torch.equal(batch.images, whole.images[batch.indices])


def test_epochs_differ_and_repeat_by_their_number(open_stream) -> None:
    with open_stream() as stream:
        first, second = (torch.cat([batch.indices for batch in stream.batches(epoch)]) for epoch in (0, 1))
        assert not torch.equal(first, second)
        assert torch.equal(torch.cat([batch.indices for batch in stream.batches(0)]), first)
    assert torch.equal(first, epoch_order(23, 7, 0))
    with open_stream(seed=8) as other:
        assert not torch.equal(torch.cat([batch.indices for batch in other.batches(0)]), first)


def test_without_a_seed_the_order_is_the_sets_own(open_stream) -> None:
    with open_stream(seed=None) as stream:
        for epoch in (0, 1):
            assert torch.cat([batch.indices for batch in stream.batches(epoch)]).tolist() == list(range(23))


def test_an_epoch_goes_on_from_any_batch(open_stream) -> None:
    with open_stream() as stream, open_stream() as other:
        whole = list(stream.batches(2))
        for start in range(6):
            assert all(map(same, other.batches(2, start), whole[start:]))
        assert len(list(other.batches(2, 1, 3))) == 2
        assert list(other.batches(2, 5)) == []


def test_a_new_iterator_ends_the_former_one(open_stream) -> None:
    with open_stream() as stream:
        former = stream.batches(0)
        next(former)
        list(stream.batches(1))
        assert list(former) == []


def test_files_that_cannot_be_read_are_left_out_and_listed_once(open_stream, files: FileSet) -> None:
    Path(files.files[3]).write_bytes(b"no image")
    Path(files.files[4]).unlink()
    with open_stream(seed=None) as stream:
        for _ in range(2):
            assert [batch.indices.tolist() for batch in stream.batches(0, end=2)] == [[0, 1, 2], [5, 6, 7, 8, 9]]
        assert [fault.path for fault in stream.broken] == [files.files[3], files.files[4]]
        assert stream.broken[1].reason.startswith("there is no such file")


def test_a_batch_without_a_readable_file_is_told(open_stream, files: FileSet) -> None:
    for file in files.files[:5]:
        Path(file).unlink()
    with open_stream(seed=None) as stream, pytest.raises(InputError, match="none of the images of a batch can be read"):
        list(stream.batches(0))


def children() -> list[object]:
    return multiprocessing.active_children()


def test_processes_give_what_one_thread_gives_and_end(open_stream) -> None:
    """In a thread, as the window has it."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with open_stream() as plainly:
                expected = list(plainly.batches(0)) + list(plainly.batches(1))
            with open_stream(workers=2) as stream:
                first = stream.batches(0)
                assert same(next(first), expected[0])
                assert len(children()) == 2
                again = list(stream.batches(0, 2))  # the one begun is given up
                assert all(map(same, again, expected[2:5]))
                processes = {child.pid for child in children()}
                assert all(map(same, stream.batches(1), expected[5:]))
                assert {child.pid for child in children()} == processes
                next(stream.batches(0))  # closed in the middle
            assert children() == []
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failures == []
    assert children() == []


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_and_the_stream_can_be_used_again(open_stream) -> None:
    with open_stream(workers=1) as stream:
        batches = stream.batches(0)
        next(batches)
        children()[0].kill()
        with pytest.raises(InputError, match=r"ended unexpectedly.*fewer workers"):
            list(batches) + list(stream.batches(1))
        assert children() == []
        assert len(list(stream.batches(0))) == 5
    assert children() == []


def test_signals_to_all_processes_of_a_job_are_left_to_the_one_that_trains(open_stream) -> None:
    """Those that decode go on: a terminal sends Ctrl+C to them as well, even while they start."""

    def signal_first() -> None:
        while not (processes := children()):
            time.sleep(0.001)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(processes[0].pid, number)

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with open_stream(workers=1) as stream:
        thread = threading.Thread(target=signal_first)
        thread.start()
        batches = stream.batches(0)
        next(batches)
        thread.join()
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(children()[0].pid, number)
        assert len(list(batches)) == 4
    assert children() == []
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
