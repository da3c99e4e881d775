from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageOps

from explorer.architectures.registry import build, entry
from explorer.data.preprocessing import Preprocessing
from explorer.errors import InputError
from explorer.inference.classifier import Classifier, load_classifier
from explorer.tasks.weights_file import ModelSpec, save_weights

Find = Callable[..., Path]

GREY = Preprocessing((1, 32, 32), (0.1,), (0.3,), resize=32)
DIGITS = tuple("0123456789")


@pytest.fixture(scope="module")
def lite() -> Classifier:
    return load_classifier()


def save_run(folder: Path, spec: ModelSpec, weights: dict[str, torch.Tensor] | None = None) -> Path:
    folder.mkdir()
    if weights is None:
        weights = build(entry("lenet5"), (1, 32, 32), num_classes=10).state_dict()
    save_weights(folder / "best.safetensors", weights, spec)
    return folder


def plain_top1(folder: Path) -> list[int]:
    """What timm and torchvision alone make of the photos."""
    import timm
    from torchvision import transforms

    from explorer.tasks.pretrained import load_pretrained

    network = timm.create_model("tf_efficientnet_lite0")
    network.load_state_dict(load_pretrained("efficientnet_lite0")[1])
    network.eval()
    transform = transforms.Compose(
        [
            transforms.Resize(256, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize([127 / 255] * 3, [128 / 255] * 3),
        ]
    )
    with torch.inference_mode():
        return [
            int(network(transform(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))[None]).argmax())
            for path in sorted(folder.glob("*.JPEG"))
        ]


def test_photos_get_the_classes_of_the_reference_pipeline(shared_data: Find, lite: Classifier) -> None:
    folder = shared_data("photos")
    rows = [line.split("\t") for line in (folder / "classes.txt").read_text().splitlines()]
    truth = {wnid: int(index) for index, wnid, _ in rows}
    paths = sorted(folder.glob("*.JPEG"))
    found = [lite.classify_file(path).predictions[0].index for path in paths]
    assert len(paths) == 60
    assert sum(ours == theirs for ours, theirs in zip(found, plain_top1(folder), strict=True)) >= 59
    assert sum(index == truth[path.name.split("_")[0]] for index, path in zip(found, paths, strict=True)) >= 53


def test_predictions_come_most_probable_first(shared_data: Find, lite: Classifier) -> None:
    result = lite.classify_file(shared_data("photos", "n03935335_piggy_bank.JPEG"), top=1000)
    probabilities = [prediction.probability for prediction in result.predictions]
    assert result.error is None
    assert result.predictions[0].label == "piggy bank"
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-4)
    assert len({prediction.index for prediction in result.predictions}) == 1000


def test_grey_and_transparent_images_are_classified(lite: Classifier) -> None:
    for mode in ("L", "RGBA", "P", "I;16"):
        assert len(lite.classify(Image.new(mode, (50, 30)))) == 5


def test_bad_file_becomes_an_error_in_its_result(tmp_path: Path, lite: Classifier) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"\xff\xd8 not really")
    result = lite.classify_file(path)
    assert (result.path, result.predictions) == (str(path), ())
    assert result.error is not None
    assert str(path) in result.error


def test_same_image_gives_the_same_answer_twice(lite: Classifier) -> None:
    noise = Image.effect_noise((64, 64), 80)
    assert lite.classify(noise) == lite.classify(noise)


def test_loading_draws_no_random_numbers() -> None:
    before = torch.get_rng_state()
    load_classifier()
    assert torch.equal(torch.get_rng_state(), before)


def test_run_folder_and_its_file_classify_alike(tmp_path: Path) -> None:
    folder = save_run(tmp_path / "run", ModelSpec("lenet5", {}, GREY, DIGITS))
    digit = Image.effect_noise((28, 28), 60)
    by_folder, by_file = load_classifier(str(folder)), load_classifier(str(folder / "best.safetensors"))
    assert by_folder.title == f"{entry('lenet5').title} · run"
    assert by_folder.classify(digit, top=20) == by_file.classify(digit, top=20)
    assert {prediction.label for prediction in by_folder.classify(digit, top=20)} == set(DIGITS)


def test_run_computes_what_the_trained_network_computes(tmp_path: Path) -> None:
    network = build(entry("lenet5"), (1, 32, 32), num_classes=10, activation="relu").eval()
    spec = ModelSpec("lenet5", {"activation": "relu", "num_classes": 10}, GREY, DIGITS)
    folder = save_run(tmp_path / "run", spec, network.state_dict())
    image = Image.effect_noise((32, 32), 60)
    pixels = torch.tensor(list(image.tobytes())).view(1, 1, 32, 32)
    with torch.inference_mode():
        expected = network((pixels / 255 - 0.1) / 0.3)[0].softmax(0)
    for prediction in load_classifier(str(folder)).classify(image, top=10):
        assert prediction.probability == pytest.approx(float(expected[prediction.index]), abs=1e-5)


def test_constants_outside_the_state_dict_are_kept(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "class Shifted(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.linear = torch.nn.Linear(1024, 2)\n"
        "        self.register_buffer('shift', torch.tensor([0.0, 3.0]), persistent=False)\n"
        "    def forward(self, x):\n"
        "        return self.linear(x.flatten(1)) + self.shift\n"
    )
    weights = {"linear.weight": torch.zeros(2, 1024), "linear.bias": torch.zeros(2)}
    spec = ModelSpec(f"{tmp_path / 'net.py'}:Shifted", {}, GREY, ("no", "yes"))
    best = load_classifier(str(save_run(tmp_path / "run", spec, weights))).classify(Image.new("L", (32, 32)))[0]
    assert best.label == "yes"
    assert best.probability == pytest.approx(torch.tensor([0.0, 3.0]).softmax(0)[1].item())


def test_network_without_weights_says_what_to_use_instead() -> None:
    with pytest.raises(InputError, match="no trained weights of resnet50 are at hand: use efficientnet_lite0"):
        load_classifier("resnet50")


def test_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean efficientnet_lite"):
        load_classifier("efficientnet_lite")


def test_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is nothing at"):
        load_classifier(str(tmp_path / "absent"))


def test_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no best\.safetensors"):
        load_classifier(str(tmp_path))


def test_pickle_under_a_false_name_is_not_executed(tmp_path: Path) -> None:
    mark = tmp_path / "executed"

    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (mark,))

    for data in (pickle.dumps({"weights": Trap()}), b"", b"\x10\0\0\0\0\0\0\0{}"):
        (tmp_path / "best.safetensors").write_bytes(data)
        with pytest.raises(InputError, match="safetensors"):
            load_classifier(str(tmp_path))
    torch.save({"weights": Trap()}, tmp_path / "best.safetensors")
    with pytest.raises(InputError, match="safetensors"):
        load_classifier(str(tmp_path))
    assert not mark.exists()


def test_safetensors_of_another_program_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="not written by Architecture Explorer"):
        load_classifier(str(tmp_path / "model.safetensors"))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    weights = build(entry("lenet5"), (1, 32, 32), num_classes=10).state_dict()
    weights["output.weight"] = torch.zeros(3, 84)
    with pytest.raises(InputError, match=r"do not fit lenet5: 1 of 10 tensors differ, output\.weight"):
        load_classifier(str(save_run(tmp_path / "shape", ModelSpec("lenet5", {}, GREY, DIGITS), weights)))
    with pytest.raises(InputError, match="do not fit lenet5_1998"):
        load_classifier(str(save_run(tmp_path / "names", ModelSpec("lenet5_1998", {}, GREY, DIGITS))))


def test_diverged_network_says_so_instead_of_answering(tmp_path: Path) -> None:
    weights = build(entry("lenet5"), (1, 32, 32), num_classes=10).state_dict()
    weights["output.bias"] = torch.full((10,), float("nan"))
    classifier = load_classifier(str(save_run(tmp_path / "run", ModelSpec("lenet5", {}, GREY, DIGITS), weights)))
    Image.new("L", (32, 32)).save(tmp_path / "black.png")
    result = classifier.classify_file(tmp_path / "black.png")
    assert result.error is not None
    assert "diverged" in result.error
    json.dumps(result.predictions)


def test_weights_that_ask_for_a_python_file_beside_them_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("import pathlib\npathlib.Path('ran').touch()\ndef net(): pass\n")
    preprocessing = Preprocessing((1, 8, 8), (0.0,), (1.0,), 8)
    spec = ModelSpec("evil.py:net", {}, preprocessing, ("a", "b"))
    save_weights(tmp_path / "best.safetensors", {"x": torch.zeros(1)}, spec)
    with pytest.raises(InputError, match=r"evil\.py"):
        load_classifier(str(tmp_path))
    assert not (tmp_path / "ran").exists()
