"""Event files are what TensorBoard reads, and the other way round; its own reader checks it where it is installed."""

from __future__ import annotations

import math
import resource
import struct
from pathlib import Path

import pytest

from explorer.errors import InputError
from explorer.training.events import Epoch, Finished, Histogram, LayerRatios, LayerRow, LayerStatistics, Steps
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.training.tensorboard import EVENTS, Scalar, append_scalars, mark_restart, masked_crc, read_scalars

STEPS = Steps(1, 300, (2.0, 1.25), 0.05, 4000.0, 12.5, 0.75)
EPOCH = Epoch(1, 300, 1.5, 0.5, 1.125, 0.625, True, 4000.0, 0.25)


def told(folder: Path) -> list[tuple[str, int, float]]:
    return [(scalar.tag, scalar.step, scalar.value) for scalar in read_scalars(folder)]


def test_checksum_is_crc32c_masked() -> None:
    # RFC 3720, appendix B.4: the CRC-32C of 32 bytes of zeros is 8a9136aa, of 32 ones 62a8ab43.
    for content, crc in ((bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)):
        rotated = ((crc >> 15) | (crc << 17)) & 0xFFFFFFFF
        assert masked_crc(content) == (rotated + 0xA282EAD8) % 2**32


def test_what_is_written_is_read(tmp_path: Path) -> None:
    append_scalars(tmp_path, STEPS)
    append_scalars(tmp_path, EPOCH)
    append_scalars(tmp_path, Finished("run", 1, 1, 0.5, None, 1.0))
    assert told(tmp_path) == [
        ("loss/step", 300, 1.25),
        ("learning_rate", 300, struct.unpack("<f", struct.pack("<f", 0.05))[0]),
        ("images_per_second", 300, 4000.0),
        ("gradient_norm", 300, 0.75),
        ("loss/training", 300, 1.5),
        ("loss/validation", 300, 1.125),
        ("accuracy/training", 300, 0.5),
        ("accuracy/validation", 300, 0.625),
    ]
    assert read_scalars(tmp_path)[0].wall_time > 1e9


def test_tensorboard_reads_the_folder_of_a_run(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    recipe = Recipe(batch_size=256, epochs=2)
    folder = RunFolder.create(recipe, tmp_path / "run")
    for _ in fit(recipe, folder, "cpu"):
        pass
    reader = accumulator.EventAccumulator(str(folder.path), size_guidance={"scalars": 0})
    reader.Reload()
    for name, tag in (
        ("validation_accuracy", "accuracy/validation"),
        ("train_loss", "loss/training"),
    ):
        epochs = [event for event in folder.metrics() if event["event"] == "epoch"]
        assert [event.step for event in reader.Scalars(tag)] == [6, 12]
        assert [event.value for event in reader.Scalars(tag)] == pytest.approx([event[name] for event in epochs])
    own = read_scalars(folder.path)
    for tag in reader.Tags()["scalars"]:
        theirs = [Scalar(tag, event.step, event.wall_time, event.value) for event in reader.Scalars(tag)]
        assert theirs == [scalar for scalar in own if scalar.tag == tag]
    assert "loss/step" in reader.Tags()["scalars"]
    folder.rewind(1, 6)
    reader = accumulator.EventAccumulator(str(folder.path), size_guidance={"scalars": 0})
    reader.Reload()
    assert [event.step for event in reader.Scalars("loss/training")] == [6], "what is trained again is void"
    assert {scalar.step for scalar in read_scalars(folder.path) if scalar.tag == "loss/training"} == {6}


LOOKED = LayerStatistics(
    7,
    (
        LayerRow("conv1", "Conv2d", weights=Histogram(-1.0, 3.0, (5, 0, 2, 1), 0.25, 0.5, 1, 2)),
        LayerRow("fc", "Linear", activations=Histogram(0.0, 1.0, (1, 1), 0.5, 0.5, 1, 0), ratio=1e-3),
    ),
)


def test_ratios_are_scalars_and_histograms_are_histograms(tmp_path: Path) -> None:
    folder = RunFolder.create(Recipe(), tmp_path / "run")
    folder.append(LayerRatios(7, (("conv1", 0.5), ("fc", None))))
    folder.append(LOOKED)
    folder.append(STEPS)
    assert told(folder.path)[0] == ("update_ratio/conv1", 7, 0.5)
    assert len(told(folder.path)) == 5, "histograms are passed over where scalars are read"
    assert [event["event"] for event in folder.metrics()] == ["layerratios", "steps"], "the metrics hold no histograms"
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    reader = accumulator.EventAccumulator(str(folder.path), size_guidance={"histograms": 0})
    reader.Reload()
    assert sorted(reader.Tags()["histograms"]) == ["activations/fc", "weights/conv1"]
    (event,) = reader.Histograms("weights/conv1")
    value = event.histogram_value
    assert event.step == 7
    assert (value.min, value.max, value.num, value.sum) == (-1.0, 3.0, 8.0, 2.0)
    assert value.sum_squares == pytest.approx(8 * (0.25 + 0.0625))
    assert list(value.bucket_limit) == [0.0, 1.0, 2.0, 3.0]
    assert list(value.bucket) == [5.0, 0.0, 2.0, 1.0]


def test_files_of_tensorboard_are_read(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    for new_style in (False, True):
        folder = tmp_path / f"{new_style}"
        with tensorboard.SummaryWriter(str(folder)) as writer:
            for step in (0, 1, 1000, 10**9):
                writer.add_scalar("Loss/train", 1.5 * step, step, new_style=new_style)
            writer.add_text("note", "no scalar", 3)
        assert told(folder) == [("Loss/train", step, 1.5 * step) for step in (0, 1, 1000, 10**9)]


def test_damaged_files_are_read_up_to_the_damage(tmp_path: Path) -> None:
    for _ in range(3):
        append_scalars(tmp_path, EPOCH)
    whole = (tmp_path / EVENTS).read_bytes()
    counts = set()
    for keep in range(0, len(whole), 11):
        (tmp_path / EVENTS).write_bytes(whole[:keep])
        counts.add(len(read_scalars(tmp_path)))
    assert counts == {0, 4, 8}
    (tmp_path / EVENTS).write_bytes(b"\xff" * 1000)
    assert read_scalars(tmp_path) == []
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="holds no event file"):
        read_scalars(empty)
    with pytest.raises(InputError, match="cannot be read"):
        read_scalars(tmp_path / "nowhere")


def test_record_that_a_kill_left_half_written_hides_none_that_follow(tmp_path: Path) -> None:
    path = tmp_path / EVENTS
    for _ in range(3):
        append_scalars(tmp_path, EPOCH)
    whole = path.read_bytes()
    record = len(whole) // 3
    for keep in (len(whole), len(whole) - 1, len(whole) - 5, len(whole) - record // 2, 5, 0):
        path.write_bytes(whole[:keep])
        before = len(read_scalars(tmp_path))
        mark_restart(tmp_path, 400)
        append_scalars(tmp_path, STEPS)
        assert len(read_scalars(tmp_path)) == before + 4
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    path.write_bytes(whole[:-7])
    mark_restart(tmp_path, 400)
    append_scalars(tmp_path, STEPS)
    reader = accumulator.EventAccumulator(str(tmp_path))
    reader.Reload()
    assert [event.value for event in reader.Scalars("loss/step")] == [1.25]


def test_full_disk_leaves_whole_records(tmp_path: Path) -> None:
    append_scalars(tmp_path, EPOCH)
    whole = (tmp_path / EVENTS).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, limits[1]))
    try:
        append_scalars(tmp_path, EPOCH)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / EVENTS).read_bytes() == whole


def test_numbers_that_cannot_be_drawn_are_left_out(tmp_path: Path) -> None:
    append_scalars(tmp_path, Epoch(1, 1, math.inf, math.nan, 1.0, 0.5, True, 1.0, 1.0))
    assert [scalar.tag for scalar in read_scalars(tmp_path)] == ["loss/validation", "accuracy/validation"]


def test_a_restart_without_a_file_makes_none(tmp_path: Path) -> None:
    mark_restart(tmp_path, 1)
    assert not list(tmp_path.iterdir())
