"""Any folder is a dataset: by its class folders or by a table, and what is wrong with it is told before training."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.data.datasets import FileSet, dataset_info, full_name, is_present, load_dataset, split
from explorer.data.folder import folder_path, read_folder
from explorer.errors import InputError

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Returns a function that writes small images of the given names, and texts, into a folder."""

    def write(*images: str, size: tuple[int, int] = (8, 6), **texts: str) -> Path:
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        for number, name in enumerate(images):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, (number * 20 % 256, 0, 0)).save(path)
        for name, text in texts.items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        return folder

    return write


def listed(folder: Path, part: str = "train") -> list[tuple[str, int]]:
    contents = read_folder(folder)
    root = folder if folder.is_dir() else folder.parent
    return [(os.path.relpath(file, root), label) for file, label in contents.listed[part]]


class TestNames:
    @pytest.mark.parametrize("name", ["folder:", "folder:pets", "./pets", "/pets", "labels.csv", "sub/labels.tsv"])
    def test_what_stands_for_a_path(self, name: str) -> None:
        assert folder_path(name) == Path(name.removeprefix("folder:"))

    @pytest.mark.parametrize("name", ["", "pets", "cifar11"])
    def test_what_does_not(self, name: str) -> None:
        assert folder_path(name) is None

    def test_a_folder_that_is_there_needs_no_prefix(self, make: Make, monkeypatch) -> None:
        folder = make("a/1.png", "b/1.png")
        monkeypatch.chdir(folder.parent)
        assert dataset_info("mine").classes == ("a", "b")
        assert full_name("mine") == f"folder:{folder}"
        assert full_name(full_name("mine")) == f"folder:{folder}"

    def test_a_datasets_own_name_goes_before_a_folder_of_that_name(self, tmp_path: Path, monkeypatch) -> None:
        (tmp_path / "digits").mkdir()
        monkeypatch.chdir(tmp_path)
        assert dataset_info("digits").images == 1797
        assert full_name("digits") == "digits"

    def test_presence(self, make: Make) -> None:
        folder = make("a/1.png")
        assert is_present(f"folder:{folder}")
        assert not is_present(f"folder:{folder}/nowhere")


class TestClassFolders:
    def test_they_are_in_torchvisions_order(self, make: Make) -> None:
        from torchvision.datasets import ImageFolder

        folder = make("b/2.png", "b/1.jpg", "a/x/3.png", "a/4.png", "C/5.png")
        theirs = ImageFolder(folder)
        contents = read_folder(folder)
        assert list(contents.classes) == theirs.classes == ["C", "a", "b"]
        assert sorted(contents.listed["train"]) == sorted(theirs.samples)

    @pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "Validation", "testing")])
    def test_parts(self, make: Make, names: tuple[str, str, str]) -> None:
        folder = make(*(f"{part}/{kind}/1.png" for part in names for kind in ("a", "b")), f"{names[0]}/b/2.png")
        info = dataset_info(str(folder))
        assert (info.images, info.validation_images, info.test_images) == (3, 2, 2)
        assert info.classes == ("a", "b")

    def test_a_class_may_be_called_test_where_nothing_is_called_train(self, make: Make) -> None:
        assert read_folder(make("test/1.png", "exam/1.png")).classes == ("exam", "test")

    def test_what_belongs_to_the_system_is_nothing(self, make: Make) -> None:
        folder = make("a/1.png", "b/1.png", ".git/2.png", "a/.thumbs/3.png", "__MACOSX/a/4.png")
        (folder / "a" / "Thumbs.db").touch()
        (folder / "a" / ".DS_Store").touch()
        contents = read_folder(folder)
        assert contents.classes == ("a", "b")
        assert contents.passed_over == ()
        assert len(contents.listed["train"]) == 2

    def test_links_are_followed_but_none_that_leads_back(self, make: Make, tmp_path: Path) -> None:
        folder = make("cat/1.png", "dog/2.png", "../elsewhere/deep/3.png")
        (folder / "itself").symlink_to("itself")
        (folder / "cat" / "more").symlink_to(tmp_path / "elsewhere")
        (folder / "cat" / "up").symlink_to("..")
        (tmp_path / "elsewhere" / "round").symlink_to(folder / "cat")
        assert read_folder(folder).classes == ("cat", "dog")
        assert listed(folder) == [("cat/1.png", 0), ("cat/more/deep/3.png", 0), ("dog/2.png", 1)]

    def test_other_files_are_listed(self, make: Make) -> None:
        folder = make("a/1.png", "b/1.png")
        (folder / "a" / "notes.txt").touch()
        (fault,) = read_folder(folder).passed_over
        assert fault.path == str(folder / "a" / "notes.txt")
        assert "ending" in fault.reason

    @pytest.mark.parametrize(
        ("images", "folders", "problem"),
        [
            ((), (), r"neither a sub-folder of images for each class nor a table"),
            (("1.png", "2.png"), (), r"neither a sub-folder of images for each class nor a table"),
            (("a/1.png",), (), r"one class only, 'a': at least two"),
            (("a/1.png",), ("b",), r"no images to train on of 'b': add some or remove"),
            (("a/1.png",), ("b", "c", "d", "e"), r"of 'b', 'c', 'd' and 1 more"),
            ((), ("a", "b"), r"holds no images to train on"),
            (("train/a/1.png", "train/b/1.png", "val/c/1.png"), (), r"val has the class 'c', .*train has not"),
            (("train/a/1.png", "training/a/1.png"), (), r"are both for train: remove or rename"),
            (("test/a/1.png", "train/1.png"), (), r"train has neither a sub-folder"),
        ],
    )
    def test_what_cannot_be_trained_on_is_refused(self, make: Make, images, folders, problem: str) -> None:
        folder = make(*images)
        for name in folders:
            (folder / name).mkdir()
        with pytest.raises(InputError, match=problem) as refusal:
            dataset_info(f"folder:{folder}")
        assert str(folder) in str(refusal.value)
        assert "\n" not in str(refusal.value)

    @pytest.mark.parametrize("name", ["folder:", "folder:/nowhere/at all", "/nowhere/at all", "/nowhere/labels.csv"])
    def test_a_folder_that_is_not_there_is_told(self, name: str, finish, monkeypatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InputError):
            finish(load_dataset(name))

    def test_an_empty_part_is_as_none(self, make: Make) -> None:
        folder = make("train/a/1.png", "train/b/1.png")
        (folder / "test" / "a").mkdir(parents=True)
        assert read_folder(folder).listed.keys() == {"train"}


class TestLoading:
    def test_small_images_of_one_size_keep_it(self, make: Make, finish) -> None:
        _, dataset = finish(load_dataset(str(make("a/1.png", "b/1.png"))))
        assert dataset.info.shape == (3, 6, 8)
        assert dataset.train.images.shape == (2, 3, 6, 8)
        assert dataset.train.images[1, 0].unique().tolist() == [20]

    def test_they_get_the_networks_input(self, make: Make, finish) -> None:
        steps, dataset = finish(load_dataset(str(make("a/1.png", "b/1.png")), input=(1, 10, 10)))
        assert dataset.train.images.shape == (2, 1, 10, 10)
        assert (steps[-1].done, steps[-1].total) == (2, 2)

    def test_images_stand_upright(self, shared_data, tmp_path: Path, finish) -> None:
        rotated = sorted(shared_data("nasty", "exif_orientation").glob("*.jpg"))
        assert len(rotated) >= 8
        for kind in ("a", "b"):
            (tmp_path / kind).mkdir()
            for path in rotated:
                shutil.copy(path, tmp_path / kind)
        _, dataset = finish(load_dataset(str(tmp_path), input=(3, 64, 64)))
        images = dataset.train.images.float()
        for path, image in zip([path.stem for path in rotated] * 2, images, strict=True):
            same = [other for other in rotated if other.stem.split("_")[0] == path.split("_")[0]]
            reference = images[[file.stem for file in rotated].index(same[0].stem)]
            assert (image - reference).abs().mean() < 12, path

    def test_hymenoptera(self, shared_data, finish) -> None:
        _, dataset = finish(load_dataset(f"folder:{shared_data('hymenoptera')}", input=(3, 32, 32)))
        assert torch.bincount(dataset.train.labels).tolist() == [41, 40]
        assert torch.bincount(dataset.validation.labels).tolist() == [20, 20]
        assert dataset.test is None
        assert dataset.info.classes == ("ants", "bees")
        assert dataset.broken == ()
        (odd,) = dataset.doubtful
        assert odd.path.endswith("train/ants/imageNotFound.gif")
        assert odd.reason == "one of few gif files among 120 jpg files: does it belong?"

    def test_the_awkward_files_are_left_out_each_with_its_reason(self, shared_data, finish) -> None:
        _, dataset = finish(load_dataset(str(shared_data("nasty")), input=(3, 16, 16)))
        assert len(dataset.train.labels) > 90
        assert len(dataset.broken) > 30
        assert all(fault.reason and "\n" not in fault.reason for fault in dataset.broken)
        held = len(dataset.train.labels) + len(dataset.broken)
        hidden = [path for path in shared_data("nasty").rglob("*") if path.is_file() and path.name.startswith(".")]
        assert held == sum(path.is_file() for path in shared_data("nasty").rglob("*")) - len(hidden)

    def test_cifar10_as_jpegs(self, shared_data, tmp_path: Path, finish) -> None:
        with zipfile.ZipFile(shared_data("cifar10_jpeg_part.zip")) as archive:
            wanted = [name for name in archive.namelist() if name.endswith(("00.jpg", "07.jpg"))]
            archive.extractall(tmp_path, wanted)
            first = next(name for name in sorted(wanted) if "/train/" in name)
            with archive.open(first) as file:
                pixels = np.array(Image.open(file))
        _, dataset = finish(load_dataset(str(tmp_path / "cifar10_jpeg")))
        assert dataset.info.shape == (3, 32, 32)
        assert torch.bincount(dataset.train.labels).tolist() == [20] * 10
        assert np.array_equal(dataset.train.images[0].permute(1, 2, 0).numpy(), pixels)
        assert len(dataset.test.labels) == sum("/test/" in name for name in wanted)

    def test_a_folder_that_vanishes_meanwhile_is_told(self, make: Make, finish) -> None:
        folder = make("a/1.png", "b/1.png")
        loading = load_dataset(str(folder))
        while not next(loading).message.startswith("Decoding"):
            pass
        shutil.rmtree(folder)
        with pytest.raises(
            InputError, match=r"of the 2 train images of mine cannot be read, .*: there is no such file"
        ):
            finish(loading)

    def test_closing_while_it_decodes_ends_the_threads(self, make: Make) -> None:
        import threading

        loading = load_dataset(str(make(*(f"{kind}/{number}.png" for kind in "ab" for number in range(30)))))
        while next(loading).done < 3:
            pass
        loading.close()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]

    def test_a_set_of_files_is_divided_like_one_in_memory(self, make: Make, finish, monkeypatch) -> None:
        folder = str(make(*(f"{kind}/{number}.png" for kind in "ab" for number in range(10))))
        _, resident = finish(load_dataset(folder))
        monkeypatch.setattr("explorer.data.decode.RESIDENT_BYTES", 100)
        _, streamed = finish(load_dataset(folder))
        assert isinstance(streamed.train, FileSet)
        for one, other in zip(split(resident.train, 0.3, 5), split(streamed.train, 0.3, 5), strict=True):
            assert one.labels.tolist() == other.labels.tolist()
            shades = [int(Image.open(file).getpixel((0, 0))[0]) for file in other.files]
            assert one.images[:, 0, 0, 0].tolist() == shades


class TestTable:
    @pytest.mark.parametrize(
        "table",
        [
            "filename,label\n1.png,cat\n2.png,dog\n",
            "label;file\ncat;1.png\ndog;2.png\n",
            "id\tspecies\n1\tcat\n2\tdog\n",
            "\ufeffimage,class\r\n1.png,cat\r\n2.png,dog\r\n",
            "1.png,cat\n2.png,dog\n",
            "number,what,where\n17,cat,1.png\n18,dog,2.png\n",
            'image , label \n"1.png"," cat"\n"./2.png",dog\n',
            "file_name,width,label\n1.png,8,cat\n2.png,8,dog\n",
            "\n\nfile|label\n1.png|cat\n\n2.png|dog\n",
            "file,label\n.\\1.png,cat\n2.png,dog\n",
            "file,label\n1.png,cat\n2.png,dog\n1.png,cat\n",
        ],
        ids=[
            *(
                "comma",
                "semicolon",
                "tab, ending left out",
                "from Windows",
                "no header",
                "by content",
                "quoted",
                "more",
            ),
            *("empty lines", "backslash", "twice"),
        ],
    )
    def test_its_columns_are_found(self, make: Make, table: str) -> None:
        folder = make("1.png", "2.png", labels=table)
        expected = [("1.png", 0), ("2.png", 1)]
        assert read_folder(folder).classes == ("cat", "dog")
        assert listed(folder) == listed(folder / "labels.csv") == expected

    @pytest.mark.parametrize(("file", "named"), [("e\u0301.png", "\u00e9.png"), ("\u00e9.png", "e\u0301.png")])
    def test_letters_may_be_composed_otherwise_than_in_the_files_names(self, make: Make, file: str, named: str) -> None:
        folder = make(file, "2.png", labels=f"file,label\n{named},cat\n2.png,dog\n")
        assert len(listed(folder)) == 2

    def test_images_may_lie_in_a_folder_beside_it(self, make: Make) -> None:
        folder = make("images/1.png", "images/deep/2.png", labels="image,label\n1.png,x\ndeep/2.png,y\n")
        expected = [("images/1.png", 0), ("images/deep/2.png", 1)]
        assert listed(folder) == listed(folder / "labels.csv") == expected

    def test_training_images_of_a_competition_lie_in_train(self, make: Make) -> None:
        folder = make("train/1.png", "train/2.png", "test/3.png", labels="id,breed\n1,x\n2,y\n")
        assert listed(folder) == [("train/1.png", 0), ("train/2.png", 1)]

    def test_a_column_tells_the_parts_apart(self, make: Make) -> None:
        rows = "1.png,x,train\n2.png,y,train\n3.png,x,val\n4.png,y,test\n"
        folder = make("1.png", "2.png", "3.png", "4.png", labels=f"file,label,split\n{rows}")
        assert [len(read_folder(folder).listed[part]) for part in ("train", "validation", "test")] == [2, 1, 1]

    def test_numbers_are_in_order_of_their_value(self, make: Make) -> None:
        rows = "1.png,10\n2.png,9\n3.png,-1\n"
        assert read_folder(make("1.png", "2.png", "3.png", labels=f"file,label\n{rows}")).classes == ("-1", "9", "10")

    def test_numbers_may_be_lines_of_a_list_of_names(self, make: Make) -> None:
        folder = make("1.png", "2.png", labels="file,label\n1.png,1\n2.png,0\n")
        (folder / "classes.txt").write_text("dog\ncat\n")
        assert read_folder(folder).classes == ("dog", "cat")
        assert listed(folder) == [("1.png", 1), ("2.png", 0)]

    @pytest.mark.parametrize(
        ("names", "problem"), [(b"caf\xe9\ndog\n", "classes.txt is not text"), (b"a\na\n", "names a class twice")]
    )
    def test_a_list_of_names_that_makes_no_sense_is_refused(self, make: Make, names: bytes, problem: str) -> None:
        folder = make("1.png", "2.png", labels="file,label\n1.png,1\n2.png,0\n")
        (folder / "classes.txt").write_bytes(names)
        with pytest.raises(InputError, match=problem):
            read_folder(folder)

    @pytest.mark.parametrize("label", ["--5", "9" * 5000])
    def test_what_is_hardly_a_number_is_a_name(self, make: Make, label: str) -> None:
        folder = make("1.png", "2.png", labels=f"file,label\n1.png,{label}\n2.png,3\n")
        assert set(read_folder(folder).classes) == {label, "3"}

    def test_a_number_beyond_the_list_is_refused(self, make: Make) -> None:
        folder = make("1.png", "2.png", labels="file,label\n1.png,1\n2.png,2\n")
        (folder / "classes.txt").write_text("dog\ncat\n")
        with pytest.raises(InputError, match=r"row 3: label 2 is out of range, classes\.txt has 2"):
            read_folder(folder)

    def test_a_file_that_is_not_there_is_listed(self, make: Make, finish) -> None:
        folder = make("1.png", "2.png", "3.png", labels="file,label\n1.png,x\n2.png,y\n3.png,y\ngone.png,x\n")
        _, dataset = finish(load_dataset(str(folder)))
        assert [(Path(fault.path).name, fault.reason) for fault in dataset.broken] == [
            ("gone.png", "there is no such file")
        ]
        assert dataset.train.labels.tolist() == [0, 1, 1]

    @pytest.mark.parametrize(
        ("table", "problem"),
        [
            ("", "is empty"),
            ("file,label\n", "a header and no rows"),
            ("file\n1.png\n", "one column"),
            ("file,label\n1.png,x\n2.png\n", "row 3 has 1 columns, the first has 2"),
            ("file,label\n1.png,x\n2.png,\n", "row 3: the label is empty"),
            ("file,label\n1.png,x\n,y\n", "row 3: the file is empty"),
            ("file,label\n1.png,x\n1.png,y\n", r"row 3: 1\.png has another class or part already, in row 2"),
            (
                "file,label,split\n1.png,x,train\n1.png,x,test\n2.png,y,train\n",
                "row 3: 1.png has another class or part",
            ),
            ("file,label,split\n1.png,x,train\n2.png,y,holdout\n", "row 3: its part is none of train, val and test"),
            ("file,label\na.png,x\nb.png,y\n", "names files that are not there"),
            ("what,where\nx,y\nz,w\n", "no column of files"),
            ("file,label\n1.png,x\n2.png,x\n", "one class only, 'x'"),
            ('file,label\n1.png,"x\n', "is not a table"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, make: Make, table: str, problem: str) -> None:
        with pytest.raises(InputError, match=problem):
            read_folder(make("1.png", "2.png", labels=table))

    def test_text_in_another_encoding_is_told(self, make: Make) -> None:
        folder = make("1.png")
        (folder / "labels.csv").write_bytes("file,label\n1.png,Äpfel\n".encode("latin-1"))
        with pytest.raises(InputError, match="not text in UTF-8"):
            read_folder(folder)

    def test_of_several_tables_the_usual_one_is_taken_or_one_must_be_named(self, make: Make) -> None:
        table = "file,label\n1.png,x\n2.png,y\n"
        folder = make("1.png", "2.png", one=table, two=table)
        with pytest.raises(InputError, match=r"several tables, one\.csv and two\.csv"):
            read_folder(folder)
        assert len(listed(folder / "two.csv")) == 2
        make(labels=table)
        assert len(listed(folder)) == 2
