"""TensorBoard's event files: scalars and histograms are written beside a run's metrics, scalars read from any folder.

An event file is a row of TFRecords (https://www.tensorflow.org/tutorials/load_data/tfrecord), each an `Event` of
`tensorflow/core/util/event.proto` in protocol buffer encoding. Only what is needed of both is here.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from explorer.errors import InputError
from explorer.training.events import Epoch, Event, Histogram, LayerRatios, LayerStatistics, Steps
from explorer.whole_file import append_whole

EVENTS = "events.out.tfevents.metrics"
"""TensorBoard reads what has `tfevents` in its name."""
LARGEST = 1 << 26
"""Bytes of a record that is read: images and histograms lie among the scalars."""
_VERSION = b"brain.Event:2"
_START = 1
"""`SessionLog.START`: what lies at its step and after it is void."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value of one curve."""

    tag: str
    step: int
    wall_time: float
    """Seconds since 1970."""
    value: float


def scalars(event: Event) -> tuple[int, dict[str, float]]:
    """Returns (step, values by tag) of what an event tells; of several steps at once the newest is kept."""
    values: dict[str, float | None] = {}
    if isinstance(event, Steps):
        values = {
            "loss/step": event.losses[-1],
            "learning_rate": event.learning_rate,
            "images_per_second": event.images_per_second,
            "gradient_norm": event.grad_norm,
        }
    elif isinstance(event, Epoch):
        values = {
            "loss/training": event.train_loss,
            "loss/validation": event.validation_loss,
            "accuracy/training": event.train_accuracy,
            "accuracy/validation": event.validation_accuracy,
            "accuracy/validation_top5": event.validation_top5,
        }
    elif isinstance(event, LayerRatios):
        values = {f"update_ratio/{name}": ratio for name, ratio in event.ratios}
    step = event.step if isinstance(event, Steps | Epoch | LayerRatios) else 0
    return step, {tag: value for tag, value in values.items() if value is not None}


def append_scalars(folder: Path, event: Event) -> None:
    """Adds an event's scalars to the folder's event file. What cannot be written is left out: the metrics have it."""
    step, values = scalars(event)
    if values:
        _append(folder, _event(step, [_scalar(tag, value) for tag, value in values.items()]))


def append_histograms(folder: Path, event: LayerStatistics) -> None:
    """Adds the histograms of every layer to the folder's event file. What cannot be written is left out."""
    told = [
        _histogram(f"{kind}/{layer.name}", numbers)
        for layer in event.layers
        for kind, numbers in (
            ("activations", layer.activations),
            ("gradients", layer.gradients),
            ("weights", layer.weights),
        )
        if numbers is not None
    ]
    _append(folder, _event(event.step, told))


def mark_restart(folder: Path, step: int) -> None:
    """Says that what the folder's event file tells of this step and later ones is void: those are trained again."""
    if (folder / EVENTS).exists():
        _mend(folder / EVENTS)
        _append(folder, _head(step) + b"\x3a\x02\x08" + bytes([_START]))


def _append(folder: Path, event: bytes) -> None:
    with suppress(OSError), (folder / EVENTS).open("ab", buffering=0) as file:
        first = b"" if file.tell() else _record(_head(0) + _bytes_field(3, _VERSION))
        append_whole(file, first + _record(event))


def _mend(path: Path) -> None:
    """Cuts off a record that a crash left half-written: readers would take no notice of those after it."""
    with suppress(OSError), path.open("r+b") as file:
        size, end = file.seek(0, os.SEEK_END), 0
        file.seek(0)
        while len(head := file.read(8)) == 8 and (after := end + int.from_bytes(head, "little") + 16) <= size:
            end = file.seek(after)
        file.truncate(end)


# -- encoding ----------------------------------------------------------------------------------------------------------


def _event(step: int, values: Sequence[bytes]) -> bytes:
    return _head(step) + _bytes_field(5, b"".join(_bytes_field(1, value) for value in values))


def _scalar(tag: str, value: float) -> bytes:
    return _bytes_field(1, tag.encode()) + b"\x15" + struct.pack("<f", value)


def _histogram(tag: str, numbers: Histogram) -> bytes:
    """Returns a `HistogramProto`: least, greatest, count, sum and sum of squares of the finite numbers, the bins."""
    count, bins = sum(numbers.counts), len(numbers.counts)
    width = (numbers.high - numbers.low) / bins
    ends = [*(numbers.low + width * place for place in range(1, bins)), numbers.high]
    squares = count * (numbers.std**2 + numbers.mean**2)
    heads = (numbers.low, numbers.high, count, count * numbers.mean, squares)
    content = b"".join(_varint(place << 3 | 1) + struct.pack("<d", value) for place, value in enumerate(heads, 1))
    for place, row in ((6, ends), (7, numbers.counts)):
        content += _bytes_field(place, struct.pack(f"<{bins}d", *row))
    return _bytes_field(1, tag.encode()) + _bytes_field(5, content)


def _head(step: int) -> bytes:
    return b"\x09" + struct.pack("<d", time.time()) + b"\x10" + _varint(step)


def _bytes_field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*digits, value))


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + struct.pack("<I", masked_crc(length)) + content + struct.pack("<I", masked_crc(content))


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


def masked_crc(content: bytes) -> int:
    """Returns the CRC-32C of some bytes (Castagnoli; RFC 3720, appendix B.4), masked as in TFRecords."""
    crc, table = 0xFFFFFFFF, _crc_table()
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


# -- decoding ----------------------------------------------------------------------------------------------------------


def read_scalars(folder: Path) -> list[Scalar]:
    """Reads the scalars of all event files in a folder, in the order of the files' names.

    Files are read up to where they are damaged, or end in mid-record because they are still being written.

    Raises:
        InputError: there is no event file in it, or it cannot be read.
    """
    try:
        files = sorted(path for path in folder.iterdir() if "tfevents" in path.name and path.is_file())
        if not files:
            raise InputError(f"{folder} holds no event file of TensorBoard: choose the folder of one run")
        found: list[Scalar] = []
        for path in files:
            for scalar in _scalars_in(path):
                if isinstance(scalar, int):  # a restart
                    found = [earlier for earlier in found if earlier.step < scalar]
                else:
                    found.append(scalar)
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}): choose another folder") from None
    return found


def _scalars_in(path: Path) -> Iterator[Scalar | int]:
    """Yields scalars, and for each restart its step."""
    with path.open("rb") as file:
        while len(head := file.read(12)) == 12:
            length, crc = struct.unpack("<QI", head)
            if crc != masked_crc(head[:8]) or length > LARGEST:
                return
            content = file.read(length + 4)
            if len(content) < length + 4:
                return
            try:
                yield from _scalars_of(content[:-4])
            except (IndexError, struct.error, ValueError, TypeError):
                return


def _scalars_of(event: bytes) -> Iterator[Scalar | int]:
    wall_time, step = 0.0, 0
    for number, value in _fields(event):
        if number == 1 and isinstance(value, bytes):
            (wall_time,) = struct.unpack("<d", value)
        elif number == 2 and isinstance(value, int):
            step = value
        elif number == 7 and isinstance(value, bytes):
            if (1, _START) in _fields(value):
                yield step
        elif number == 5 and isinstance(value, bytes):
            for _, item in _fields(value):
                tag, scalar = _value_of(item) if isinstance(item, bytes) else ("", None)
                if scalar is not None and abs(scalar) < 1e300:
                    yield Scalar(tag, step, wall_time, scalar)


def _value_of(item: bytes) -> tuple[str, float | None]:
    """Returns tag and scalar of a `Summary.Value`; None where it is a picture, a histogram or the like."""
    tag, scalar = "", None
    for number, value in _fields(item):
        if number == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8", "replace")
        elif number == 2 and isinstance(value, bytes):
            (scalar,) = struct.unpack("<f", value)
        elif number == 8 and isinstance(value, bytes):
            scalar = _tensor(value)
    return tag, scalar


def _tensor(content: bytes) -> float | None:
    """Returns the number in a `TensorProto` of one 32-bit float, as TensorFlow 2 writes scalars."""
    held = dict(_fields(content))
    raw = held.get(4) or held.get(5)  # tensor_content, or float_val
    if held.get(1) != 1 or not isinstance(raw, bytes) or len(raw) != 4:
        return None
    number: float = struct.unpack("<f", raw)[0]
    return number


def _fields(message: bytes) -> list[tuple[int, int | bytes]]:
    """Splits a message of protocol buffers into (field number, value)."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _read_varint(message, at)
            found.append((key >> 3, value))
            continue
        if kind == 2:
            size, at = _read_varint(message, at)
        else:
            size = {1: 8, 5: 4}[kind] if kind in (1, 5) else len(message)
        if at + size > len(message):
            raise ValueError("a field is cut short")
        found.append((key >> 3, message[at : at + size]))
        at += size
    return found


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number without end")
