"""The index beside the metrics gives what a reading line by line does, whatever has become of either file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from explorer.training.events import Epoch, Event, Finished, RateChanged, Started, Steps, from_document, to_document
from explorer.training.metrics_index import FIELDS, SIZE, Metrics, Place, note, read_metrics, read_on, write_index
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

STARTED = Started("run", "lenet5", "digits", "cpu", "a processor", "32-true", 61_706, 1438, 359, 0, 6, 4, 0)


def epoch_of(number: int) -> list[Event]:
    """Returns the events of one epoch of six steps, reported in two parts."""
    last = 6 * number
    norm = 0.5 + number if number % 2 else None
    return [
        Steps(number, last - 2, (2.0, 1.5, 1.0 / number, 0.25), 0.05, 4000.0, 12.5, norm),
        Steps(number, last, (0.1, 0.2), 0.04, 4100.0, 12.0, norm),
        Epoch(number, last, 1.5, 0.4, 1.25, 0.5, True, 4000.0, 0.25),
    ]


EVENTS = [STARTED, *epoch_of(1), *epoch_of(2), *epoch_of(3), Finished("run", 3, 2, 0.5, None, 1.0)]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(Recipe(epochs=3), tmp_path / "run")
    for event in EVENTS:
        folder.append(event)
    return folder


def index(folder: RunFolder) -> Path:
    return folder.path / "metrics.index"


def line_by_line(folder: RunFolder) -> tuple[list[tuple[int, float]], list[Event]]:
    events = [event for event in map(from_document, folder.metrics()) if event is not None]
    steps = [event for event in events if isinstance(event, Steps)]
    losses = [
        (event.step - len(event.losses) + 1 + place, loss) for event in steps for place, loss in enumerate(event.losses)
    ]
    return losses, [event for event in events if not isinstance(event, Steps)]


def agree(folder: RunFolder) -> bool:
    metrics = folder.read_metrics()
    losses, others = line_by_line(folder)
    return (
        list(zip(metrics.steps["step"], metrics.steps["loss"], strict=True)) == losses
        and list(metrics.events) == others
    )


def test_index_is_written_along_and_gives_every_number(folder: RunFolder) -> None:
    assert index(folder).stat().st_size == SIZE * (1 + 18 + 5)
    assert agree(folder)
    steps = folder.read_metrics().steps
    assert list(steps["step"]) == list(range(1, 19))
    reports = steps[~np.isnan(steps["learning_rate"])]
    assert list(reports["step"]) == [4, 6, 10, 12, 16, 18]
    assert list(reports["images_per_second"]) == [4000.0, 4100.0] * 3
    assert [None if math.isnan(norm) else norm for norm in reports["grad_norm"]] == [1.5, 1.5, None, None, 3.5, 3.5]


def test_lines_are_not_read_where_the_index_knows_them(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder.read_metrics()
    read: list[bytes] = []
    loads = json.loads
    monkeypatch.setattr("explorer.training.metrics_index.json.loads", lambda text: read.append(text) or loads(text))
    after = folder.read_metrics()
    assert after.steps.tobytes() == before.steps.tobytes()
    assert after.events == before.events
    assert len(read) == 1 + 5, "the last line as a check, and what is not of steps"


@pytest.mark.parametrize("keep", [0, 1, SIZE, SIZE + 7, 3 * SIZE, 9 * SIZE])
def test_index_that_is_cut_short_is_made_up_for(folder: RunFolder, keep: int) -> None:
    index(folder).write_bytes(index(folder).read_bytes()[:keep])
    assert agree(folder)
    folder.append(Finished("again", 3, 2, 0.5, None, 1.0))
    assert agree(folder)


def test_index_of_other_lines_is_not_believed(folder: RunFolder) -> None:
    table = np.fromfile(index(folder), dtype=list(FIELDS))
    for damage in ("loss", "step", "end", "learning_rate"):
        wrong = table.copy()
        wrong[damage][-2] += 1
        wrong[damage][-1] += 1
        wrong.tofile(index(folder))
        assert agree(folder), damage
    np.frombuffer(np.random.default_rng(0).bytes(SIZE * 20), dtype=list(FIELDS)).tofile(index(folder))
    assert agree(folder)


def test_metrics_of_a_run_without_an_index_are_read_and_long_ones_indexed(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = folder.read_metrics()
    written = index(folder).read_bytes()
    index(folder).unlink()
    assert agree(folder)
    assert not index(folder).exists(), "so short a file is read at once again"
    monkeypatch.setattr("explorer.training.metrics_index.WORTH_KEEPING", 1)
    metrics = folder.read_metrics()
    assert metrics.steps.tobytes() == expected.steps.tobytes()
    assert index(folder).read_bytes() == written


def test_lines_after_the_index_are_read(folder: RunFolder) -> None:
    with (folder.path / "metrics.jsonl").open("a") as file:  # as a program would that knows nothing of the index
        for event in epoch_of(4):
            file.write(json.dumps(to_document(event)) + "\n")
    assert agree(folder)
    folder.append(epoch_of(5)[0])
    assert agree(folder)
    assert folder.read_metrics().steps["step"][-1] == 28


def test_damaged_lines_are_left_out(folder: RunFolder) -> None:
    with (folder.path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"event": "steps"}\n\x00\xff\n[1]\n{"event": "epoch", "epoch": "x"}\n')
        huge = to_document(Steps(1, 10**200, (1.0,), 0.1, 1.0, 1.0))
        file.write(json.dumps(huge).encode() + b"\n{")
    metrics = folder.read_metrics()
    assert len(metrics.steps) == 18
    assert list(metrics.events) == line_by_line(folder)[1]


def test_rewinding_keeps_lines_and_index_together(folder: RunFolder) -> None:
    folder.rewind(1, 10)
    assert agree(folder)
    assert folder.read_metrics().steps["step"][-1] == 10
    size = index(folder).stat().st_size
    folder.append(epoch_of(2)[1])
    assert index(folder).stat().st_size == size + 2 * SIZE, "the index goes on from there"
    assert agree(folder)
    folder.rewind(0, 0)
    assert not len(folder.read_metrics().steps)
    folder.append(STARTED)
    assert folder.read_metrics().events == (STARTED,)


def test_a_folder_without_metrics_has_told_nothing(tmp_path: Path) -> None:
    metrics = read_metrics(tmp_path / "metrics.jsonl")
    assert isinstance(metrics, Metrics)
    assert not len(metrics.steps)
    assert metrics.events == ()
    write_index(tmp_path / "metrics.jsonl", metrics.steps)
    assert not list(tmp_path.iterdir())


def test_title_is_kept_in_the_folder_on_one_line(folder: RunFolder) -> None:
    assert folder.title == ""
    folder.rename("  a better\nname ")
    assert folder.title == folder.summary().title == "a better name"
    folder.rename("x" * 10_000)
    assert len(folder.title) == 200
    folder.rename("")
    assert folder.summary().title == ""


def read_all(folder: RunFolder, place: Place) -> tuple[list[Event], Place]:
    read = read_on(folder.path / "metrics.jsonl", place)
    assert read is not None
    return read


def test_lines_are_read_on_from_where_the_last_reading_ended(folder: RunFolder) -> None:
    path, place = folder.path / "metrics.jsonl", folder.read_metrics().place
    assert place.end == path.stat().st_size
    assert read_all(folder, place) == ([], place)
    line = json.dumps(to_document(epoch_of(4)[0])).encode() + b"\n"
    for size in (1, 50, len(line) - 1):  # half a line is left for the next time
        with path.open("ab") as file:
            file.write(line[:size])
        assert read_all(folder, place) == ([], place)
        with path.open("r+b") as file:
            file.truncate(place.end)
    for event in epoch_of(4):
        folder.append(event)
    events, later = read_all(folder, place)
    assert events == epoch_of(4)
    assert later == folder.read_metrics().place


def test_new_run_is_read_from_its_first_line_on(folder: RunFolder, tmp_path: Path) -> None:
    new = RunFolder.create(Recipe(), tmp_path / "new")
    place = new.read_metrics().place
    with pytest.raises(FileNotFoundError):
        read_on(new.path / "metrics.jsonl", place)
    new.append(STARTED)
    assert read_all(new, place)[0] == [STARTED]


@pytest.mark.parametrize("lines_again", [0, 1, 40])
def test_lines_that_were_cut_are_to_be_read_anew(folder: RunFolder, lines_again: int) -> None:
    place = folder.read_metrics().place
    folder.rewind(2, 12)
    for number in range(lines_again):
        folder.append(Steps(3, 13 + number, (0.5,), 0.05, 4000.0 + number, 1.0))
    path = folder.path / "metrics.jsonl"
    assert read_on(path, place) is None


def test_so_many_new_lines_are_read_by_the_index(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(0, b"")
    assert len(read_all(folder, place)[0]) == len(EVENTS)
    monkeypatch.setattr("explorer.training.metrics_index.WORTH_KEEPING", 100)
    assert read_on(folder.path / "metrics.jsonl", place) is None


def test_rewinding_with_an_index_parses_hardly_a_line(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4, 200):
        for event in epoch_of(number):
            folder.append(event)
    read: list[bytes] = []
    loads = json.loads
    monkeypatch.setattr("explorer.training.metrics_index.json.loads", lambda text: read.append(text) or loads(text))
    folder.rewind(150, 900)
    others = 2 + 199
    assert len(read) == 1 + others, "the last line as a check, and what is not of steps"
    assert agree(folder)
    assert folder.read_metrics().steps["step"].tolist() == list(range(1, 901))


def test_rewinding_keeps_a_change_of_rate_that_comes_later_and_mends_the_end(folder: RunFolder) -> None:
    change = RateChanged(15, 0.5, 0.025)
    path = folder.path / "metrics.jsonl"
    folder.rewind(2, 12)
    folder.append(epoch_of(3)[0])
    folder.append(change)
    folder.append(epoch_of(3)[1])
    with path.open("ab") as file:
        file.write(b'{"event": "steps", "epo')
    (folder.path / "last.ckpt.01234567.part").write_bytes(b"half of a file")
    folder.rewind(2, 12)
    assert agree(folder)
    assert folder.read_metrics().events[-1] == change
    assert folder.read_metrics().steps["step"][-1] == 12
    assert path.read_bytes().endswith(b"}\n")
    assert not list(folder.path.glob("*.part"))


def test_kill_while_rewinding_leaves_the_lines_of_before_or_after(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops at each call that changes a file, as a kill would, and rewinds again."""
    from explorer.training import metrics_index

    class KilledError(BaseException):
        pass

    told = line_by_line(folder)[0]
    before = [event for event in map(from_document, folder.metrics()) if event is not None]
    for name in ("write_index", "os.truncate", "drop_index", "write_whole"):
        change = RateChanged(15, 0.5, 0.025)
        for extra in ([], [change]):
            path = folder.path / "metrics.jsonl"
            path.unlink()
            index(folder).unlink(missing_ok=True)
            for event in [*before, *extra]:
                folder.append(event)

            def kill(*_: object) -> None:
                raise KilledError

            with monkeypatch.context() as patch:
                patch.setattr(f"explorer.training.metrics_index.{name}", kill)
                try:
                    metrics_index.cut(path, 12, lambda event: not isinstance(event, Finished))
                except KilledError:
                    assert line_by_line(folder)[0][:12] == told[:12]
                    assert set(extra) <= set(folder.read_metrics().events)
            assert agree(folder)
            folder.rewind(2, 12)
            assert agree(folder)
            assert folder.read_metrics().steps["step"].tolist() == list(range(1, 13))
            assert set(extra) <= set(folder.read_metrics().events)


def test_full_disk_leaves_whole_records(folder: RunFolder) -> None:
    import resource

    size = index(folder).stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + SIZE // 2, limits[1]))
    try:
        note(folder.path / "metrics.jsonl", epoch_of(4)[2], (folder.path / "metrics.jsonl").stat().st_size, 10**6)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert index(folder).stat().st_size == size
    assert agree(folder)
