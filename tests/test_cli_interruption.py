"""What SIGINT and SIGTERM do before a training begins, in it, and while the processes of a job meet."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from explorer.cli.interruption import Interruption

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _handlers_stay() -> Iterator[None]:
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_what_comes_before_the_training_at_once(number: signal.Signals) -> None:
    code = "import signal, sys\nfrom explorer.cli.interruption import Interruption\n"
    code += "with Interruption(): signal.raise_signal(int(sys.argv[1]))\nprint('went on')"
    command = [sys.executable, "-c", code, str(int(number))]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (128 + number, "")
    assert ended.stderr == "architecture-explorer: interrupted before the training began\n"


def test_signal_in_the_training_is_noted_and_a_later_one_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with Interruption() as interruption:
        interruption.begun = True
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)  # come twice, as `timeout` sends it
        assert interruption.number == signal.SIGTERM
        monkeypatch.setattr("explorer.cli.interruption.TWICE", -1.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)  # the last words are said


def test_without_a_signal_all_is_as_before() -> None:
    former = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interruption() as interruption:
        pass
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == former
    assert interruption.number == 0


def test_process_that_waits_for_others_of_its_job_ends_with_a_message(tmp_path: Path) -> None:
    """Another one was killed before they met: torchrun ends this one by SIGTERM, while it waits in torch's code."""
    with closing(socket.create_server(("localhost", 0))) as free:
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "localhost", "MASTER_PORT": port, "RANK": 0, "WORLD_SIZE": 2, "LOCAL_RANK": 0}
    place |= {"LOCAL_WORLD_SIZE": 2, "TORCHELASTIC_RUN_ID": "job", "TORCHELASTIC_ERROR_FILE": tmp_path / "0" / "error"}
    environment = {**os.environ, **{name: str(value) for name, value in place.items()}}
    command = [sys.executable, "main.py", "train", "lenet5", "--device", "cpu", "--run-dir", str(tmp_path / "run")]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not _listens(port):
                assert process.poll() is None
                time.sleep(0.05)
            process.terminate()
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert said.splitlines()[-1:] == [
        "architecture-explorer: ended before the training began: the job was interrupted, or another process of it "
        "has ended"
    ]
    assert not (tmp_path / "run").exists()


def _listens(port: int) -> bool:
    with closing(socket.socket()) as visitor:
        return visitor.connect_ex(("localhost", port)) == 0
