"""Archives unpack whole or not at all, into their own folder and nowhere else."""

from __future__ import annotations

import io
import itertools
import os
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from explorer.data.archive import unpack
from explorer.errors import InputError

FILES = {"top/a.jpg": b"a" * 3_000_000, "top/below/b.txt": b"b"}
LIMIT = 10_000_000


def tar(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, contents in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in files.items():
            archive.writestr(name, contents)
    return path


@pytest.fixture(params=["tar.gz", "tar", "zip"])
def pack(request, tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Returns a function that packs files into an archive of each kind."""
    path = tmp_path / f"archive.{request.param}"
    if request.param == "zip":
        return lambda files: zipped(path, files)
    return lambda files: tar(path, files, "w:gz" if request.param == "tar.gz" else "w")


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_comes_out(pack, finish, tmp_path: Path) -> None:
    steps, _ = finish(unpack(pack(FILES), tmp_path / "out", LIMIT))
    assert below(tmp_path / "out") == FILES
    assert len(steps) > 2
    assert all(before.done <= after.done for before, after in itertools.pairwise(steps))


def test_only_what_is_wanted_comes_out(pack, finish, tmp_path: Path) -> None:
    finish(unpack(pack(FILES), tmp_path / "out", LIMIT, lambda name: name.endswith(".txt")))
    assert list(below(tmp_path / "out")) == ["top/below/b.txt"]


def test_closing_in_the_middle_leaves_nothing(pack, tmp_path: Path) -> None:
    steps = unpack(pack(FILES), tmp_path / "out", LIMIT)
    for _ in range(2):
        next(steps)
    assert any((tmp_path / "out").iterdir())
    steps.close()
    assert not any((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", ["../evil", "top/../../evil", "/evil", "C:/evil", "..\\evil"])
def test_what_leads_out_of_the_folder_is_refused(pack, finish, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="would write outside its folder"):
        finish(unpack(pack({"top/fine": b"1", name: b"2"}), tmp_path / "deep" / "out", LIMIT))
    assert not below(tmp_path / "deep")


def test_links_and_devices_do_not_come_out(finish, tmp_path: Path) -> None:
    path = tmp_path / "links.tar"
    (tmp_path / "secret").write_text("secret")
    with tarfile.open(path, "w") as archive:
        for kind, name in ((tarfile.SYMTYPE, "soft"), (tarfile.LNKTYPE, "hard"), (tarfile.CHRTYPE, "device")):
            member = tarfile.TarInfo(f"top/{name}")
            member.type, member.linkname = kind, str(tmp_path / "secret")
            archive.addfile(member)
        member = tarfile.TarInfo("top/soft/through")  # through a link that an unwary program would have made
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    finish(unpack(path, tmp_path / "out", LIMIT))
    assert below(tmp_path / "out") == {"top/soft/through": b"x"}
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_bomb_is_refused_before_it_fills_the_disk(pack, finish, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unpacks to more than 5,000,000 bytes"):
        finish(unpack(pack({"top/zeros": bytes(50_000_000)}), tmp_path / "out", 5_000_000))
    assert not below(tmp_path / "out")


def test_a_zip_file_that_lies_about_its_size_is_refused(finish, tmp_path: Path) -> None:
    path = zipped(tmp_path / "liar.zip", {"zeros": bytes(50_000_000)})
    size = (50_000_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (100).to_bytes(4, "little")))
    with pytest.raises(InputError, match=r"cannot be unpacked|unpacks to more"):
        finish(unpack(path, tmp_path / "out", 5_000_000))
    assert not below(tmp_path / "out")


@pytest.mark.parametrize("damage", ["half", "noise", "empty"])
def test_a_damaged_archive_is_told_and_leaves_nothing(finish, tmp_path: Path, damage: str) -> None:
    path = tar(tmp_path / "archive.tar.gz", {"top/a": bytes(range(256)) * 9000})
    whole = path.read_bytes()
    path.write_bytes({"half": whole[: len(whole) // 2], "noise": b"\x1f\x8b" + b"\xff" * 99, "empty": b""}[damage])
    with pytest.raises(InputError, match="cannot be unpacked"):
        finish(unpack(path, tmp_path / "out", LIMIT))
    assert not below(tmp_path / "out")


def test_what_a_killed_program_left_is_removed_and_what_another_unpacks_stays(finish, tmp_path: Path) -> None:
    path = tar(tmp_path / "archive.tar", FILES, "w")
    out = tmp_path / "out"
    for name, age in (("living", 60), ("killed", 100_000)):
        folder = out / f".archive.tar.{name}.part"
        (folder / "top").mkdir(parents=True)
        os.utime(folder, (time.time() - age,) * 2)
    finish(unpack(path, out, LIMIT))
    assert sorted(left.name for left in out.iterdir()) == [".archive.tar.living.part", "top"]


def test_what_is_there_already_stays(pack, finish, tmp_path: Path) -> None:
    (tmp_path / "out" / "top").mkdir(parents=True)
    (tmp_path / "out" / "top" / "mine").write_text("mine")
    finish(unpack(pack(FILES), tmp_path / "out", LIMIT))
    assert below(tmp_path / "out") == {"top/mine": b"mine"}
