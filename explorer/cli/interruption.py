"""SIGINT and SIGTERM while a network is trained."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import NoReturn

from explorer.cli.console import say
from explorer.training.processes import launched

TWICE = 1.0
"""Seconds in which a second signal is the first once more: `timeout` and others send theirs to process and group."""
TO_SPEAK = 3.0
"""Seconds that a process of torchrun's has to tell by itself what has ended it."""


class Interruption:
    """Has a signal end the program at once before a training begins; then whoever trains looks at `number` and saves.

    A process of torchrun's gets a signal where another one has ended, too. While they meet it waits in torch's code,
    where Python hears none, so a thread listens.
    """

    def __init__(self) -> None:
        self.number = 0
        """Of the first signal; 0 while none has come."""
        self.begun = False
        """Whether there is a run to save; whoever begins one says so."""
        self._alone = not launched()
        self._since = 0.0

    def __enter__(self) -> Interruption:
        self._former = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        if not self._alone:
            self._heard, self._ear = socket.socketpair()
            self._ear.setblocking(False)
            signal.set_wakeup_fd(self._ear.fileno(), warn_on_full_buffer=False)
            threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.begun = True
        ends = self.number or not self._alone  # whatever comes now is not to cut the last words short
        for number, handler in self._former.items():
            signal.signal(number, signal.SIG_IGN if ends else handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._alone and not self.begun:
            _end(number, "interrupted before the training began")
        if not self.number:
            self.number, self._since = number, time.monotonic()
        elif self._alone and time.monotonic() - self._since > TWICE:
            raise KeyboardInterrupt

    def _listen(self) -> None:
        number = 0
        while number not in self._former:  # those of processes that decode come here as well
            (number,) = self._heard.recv(1)
        time.sleep(TO_SPEAK)
        if not self.begun:
            _end(number, "ended before the training began: the job was interrupted, or another process of it has ended")


def _end(number: int, text: str) -> NoReturn:
    """Ends the program as it stands: an exception may crash it while torch is being imported."""
    with suppress(RuntimeError):  # a line was being written at this very moment
        say(f"architecture-explorer: {text}")
    os._exit(128 + number)
