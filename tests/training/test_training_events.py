from __future__ import annotations

import json

import pytest

from explorer.training.events import Epoch, Event, Finished, Started, Steps, from_document, to_document

EVENTS = [
    Started("runs/ä", "lenet5", "digits", "cpu", "a processor", "32-true", 61_706, 1438, 359, 0, 45, 20, 0),
    Steps(1, 3, (2.25, 2.0, 1e-7), 0.05, 4000.0, 12.5),
    Epoch(1, 45, 1.5, 0.5, 0.75, 0.875, True, 4000.0, 0.25),
    Finished("runs/ä", 20, 16, 0.98, None, 6.5),
    Finished("runs/ä", 20, 16, 0.98, 0.97, 6.5),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_event_survives_json(event: Event) -> None:
    document = json.loads(json.dumps(to_document(event), allow_nan=False))
    assert document["event"] == type(event).__name__.lower()
    assert from_document(document) == event


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"event": "surprise"},
        {"event": ["steps"]},
        {"event": "steps"},
        to_document(EVENTS[1]) | {"step": "3"},
        to_document(EVENTS[1]) | {"losses": ["2.0"]},
        to_document(EVENTS[1]) | {"losses": 2.0},
        to_document(EVENTS[1]) | {"more": 1},
        to_document(EVENTS[1]) | {"losses": []},
        to_document(EVENTS[1]) | {"losses": [float("nan")]},
        to_document(EVENTS[2]) | {"validation_accuracy": None},
        to_document(EVENTS[2]) | {"step": 10**400},
        to_document(EVENTS[3]) | {"run": 5},
    ],
)
def test_anything_else_is_no_event(document: dict[str, object]) -> None:
    assert from_document(document) is None
