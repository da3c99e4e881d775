"""A download puts the right file in place or nothing at all, against a real server on this machine."""

from __future__ import annotations

import hashlib
import itertools
import random
import socket
import threading
from pathlib import Path

import pytest
from filelock import lock_descriptor

from explorer.data import download as download_module
from explorer.data.download import DownloadError, Progress, download

CONTENTS = random.Random(0).randbytes(1_500_000)
MD5 = hashlib.md5(CONTENTS).hexdigest()
LIMIT = 2_000_000


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "file.gz"


def leftovers(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_the_file_arrives_whole(server, finish, target: Path) -> None:
    server.files["file.gz"] = CONTENTS
    finish(download([server.url + "file.gz"], target, MD5, LIMIT))
    assert target.read_bytes() == CONTENTS
    assert leftovers(target) == ["file.gz"]


def test_the_file_is_as_readable_to_others_as_any_new_file(server, finish, target: Path) -> None:
    server.files["file.gz"] = CONTENTS
    finish(download([server.url + "file.gz"], target, MD5, LIMIT))
    other = target.with_name("other")
    other.touch()
    assert target.stat().st_mode == other.stat().st_mode


def test_progress_counts_every_byte_in_small_steps(server, finish, target: Path) -> None:
    server.files["file.gz"] = CONTENTS
    steps, _ = finish(download([server.url + "file.gz"], target, MD5, LIMIT))
    assert steps[0] == Progress("Downloading file.gz", 0, 0)
    assert {step.total for step in steps[1:]} == {len(CONTENTS)}
    assert steps[-1] == Progress("Downloading file.gz", len(CONTENTS), len(CONTENTS))
    assert all(0 < after.done - before.done <= 256 << 10 for before, after in itertools.pairwise(steps))


def test_without_an_announced_length_the_total_is_unknown(server, finish, target: Path) -> None:
    server.files["file.gz"] = CONTENTS
    server.unannounced.add("file.gz")
    steps, _ = finish(download([server.url + "file.gz"], target, MD5, LIMIT))
    assert {step.total for step in steps} == {0}
    assert target.read_bytes() == CONTENTS


def test_where_the_connection_breaks_it_goes_on_there_first_then_at_the_next_mirror(server, finish, target) -> None:
    server.files |= {"bad/file.gz": CONTENTS, "good/file.gz": CONTENTS}
    server.dropping.add("bad/file.gz")
    finish(download([server.url + "bad/file.gz", server.url + "good/file.gz"], target, MD5, LIMIT))
    assert server.requests == ["bad/file.gz"] * download_module.ATTEMPTS + ["good/file.gz"]
    assert server.ranges[0] == "bytes=750000-"
    assert [int(wanted[6:-1]) for wanted in server.ranges] == sorted({int(wanted[6:-1]) for wanted in server.ranges})
    assert target.read_bytes() == CONTENTS


@pytest.mark.parametrize("trouble", ["absent", "dropping", "wrong", "too long"])
def test_the_next_mirror_is_tried_after(trouble: str, server, finish, target: Path) -> None:
    server.files["good/file.gz"] = CONTENTS
    if trouble == "dropping":
        server.files["bad/file.gz"] = CONTENTS
        server.dropping.add("bad/file.gz")
    elif trouble == "wrong":
        server.files["bad/file.gz"] = b"<html>please log in</html>"
    elif trouble == "too long":
        server.files["bad/file.gz"] = bytes(LIMIT + 1)
    finish(download([server.url + "bad/file.gz", server.url + "good/file.gz"], target, MD5, LIMIT))
    assert dict.fromkeys(server.requests) == dict.fromkeys(["bad/file.gz", "good/file.gz"])
    assert target.read_bytes() == CONTENTS
    assert leftovers(target) == ["file.gz"]


def test_when_every_mirror_fails_each_reason_is_told_and_nothing_is_left(server, finish, target: Path) -> None:
    server.files |= {"dropping": CONTENTS, "wrong": b"another file", "long": bytes(LIMIT + 1)}
    server.dropping.add("dropping")
    server.unannounced.add("long")
    urls = [server.url + name for name in ("absent", "dropping", "wrong", "long")]
    with pytest.raises(DownloadError) as failure:
        finish(download(urls, target, MD5, LIMIT))
    reasons = str(failure.value).split("; ")
    assert [reason.partition(": ")[0] for reason in reasons] == urls
    for reason, words in zip(
        reasons,
        ["HTTP status 404", "connection lost after 1,453,125 of 1,500,000 bytes", "wrong checksum", "sends more"],
        strict=True,
    ):
        assert words in reason
    assert leftovers(target) == []


def test_a_server_that_does_not_answer_is_given_up(server, finish, target: Path, monkeypatch) -> None:
    monkeypatch.setattr(download_module, "TIMEOUT", 0.3)
    server.silent.add("file.gz")
    with pytest.raises(DownloadError, match="timed out"):
        finish(download([server.url + "file.gz"], target, MD5, LIMIT))


def test_a_refused_connection_is_told(finish, target: Path, monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening
        with pytest.raises(DownloadError, match="refused"):
            finish(download([f"http://127.0.0.1:{unused.getsockname()[1]}/file.gz"], target, MD5, LIMIT))


def test_what_is_no_web_server_is_told_in_one_line(finish, target: Path, monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(DownloadError, match="SSH") as failure:
            finish(download([f"http://127.0.0.1:{listener.getsockname()[1]}/file.gz"], target, MD5, LIMIT))
        thread.join()
    assert "\n" not in str(failure.value)


def begin(server, target: Path, done: int) -> int:
    """Closes a download when so many bytes are there, and returns how many those are."""
    steps = download([server.url + "file.gz"], target, MD5, LIMIT)
    while next(steps).done < done:
        pass
    steps.close()
    return target.with_name("file.gz.part").stat().st_size


def test_closing_in_the_middle_keeps_the_part_and_the_next_download_goes_on_from_it(server, finish, target) -> None:
    server.files["file.gz"] = CONTENTS
    kept = begin(server, target, 400_000)
    assert leftovers(target) == ["file.gz.part"]
    assert target.with_name("file.gz.part").read_bytes() == CONTENTS[:kept]
    steps, _ = finish(download([server.url + "file.gz"], target, MD5, LIMIT))
    assert server.ranges == [f"bytes={kept}-"]
    downloading = [step for step in steps if step.message == "Downloading file.gz"]
    assert downloading[0].done == kept
    assert downloading[-1] == Progress("Downloading file.gz", len(CONTENTS), len(CONTENTS))
    assert target.read_bytes() == CONTENTS
    assert leftovers(target) == ["file.gz"]


def test_closing_before_the_first_byte_leaves_nothing(server, target: Path) -> None:
    server.files["file.gz"] = CONTENTS
    steps = download([server.url + "file.gz"], target, MD5, LIMIT)
    next(steps)
    steps.close()
    assert leftovers(target) == []


def test_a_server_that_knows_no_ranges_sends_the_whole_again(server, finish, target: Path) -> None:
    server.files["file.gz"] = CONTENTS
    server.without_ranges.add("file.gz")
    begin(server, target, 400_000)
    finish(download([server.url + "file.gz"], target, MD5, LIMIT))
    assert target.read_bytes() == CONTENTS
    assert leftovers(target) == ["file.gz"]


@pytest.mark.parametrize("part", [b"of another file", bytes(len(CONTENTS) + 5)], ids=["other", "longer"])
def test_a_part_that_is_no_beginning_of_the_file_costs_one_more_attempt(server, finish, target, part: bytes) -> None:
    server.files["file.gz"] = CONTENTS
    target.parent.mkdir()
    target.with_name("file.gz.part").write_bytes(part)
    finish(download([server.url + "file.gz"], target, MD5, LIMIT))
    assert server.requests == ["file.gz", "file.gz"]
    assert target.read_bytes() == CONTENTS
    assert leftovers(target) == ["file.gz"]


def test_the_part_of_a_program_that_was_killed_is_taken_up(server, finish, target: Path) -> None:
    server.files["file.gz"] = CONTENTS
    target.parent.mkdir()
    living, killed = (target.with_name(f"file.gz.{name}.part") for name in ("living", "killed"))
    living.write_bytes(CONTENTS[:900_000])
    killed.write_bytes(CONTENTS[:700_000])
    with living.open("ab") as file:
        assert lock_descriptor(file.fileno(), blocking=False)
        finish(download([server.url + "file.gz"], target, MD5, LIMIT))
    assert server.ranges == ["bytes=700000-"]
    assert leftovers(target) == ["file.gz", "file.gz.living.part"]


def test_an_older_file_stays_until_the_new_one_is_right(server, finish, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"older")
    server.files["file.gz"] = b"wrong"
    with pytest.raises(DownloadError):
        finish(download([server.url + "file.gz"], target, MD5, LIMIT))
    assert target.read_bytes() == b"older"


def test_two_downloads_of_one_file_do_not_disturb_each_other(server, finish, target: Path) -> None:
    server.files["file.gz"] = CONTENTS
    first = download([server.url + "file.gz"], target, MD5, LIMIT)
    second = download([server.url + "file.gz"], target, MD5, LIMIT)
    while next(first).done == 0:
        pass
    finish(second)
    finish(first)
    assert target.read_bytes() == CONTENTS
    assert leftovers(target) == ["file.gz"]
