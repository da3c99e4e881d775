"""How layers are written in short."""

from __future__ import annotations

import pytest

from explorer.inspection.anatomy import Layer
from explorer.inspection.notation import Kind, count_text, hyperparameter_text, kind_of


def layer(
    type_: str,
    inputs: tuple[tuple[int, ...], ...] = (),
    outputs: tuple[tuple[int, ...], ...] = (),
    **hyperparameters: object,
) -> Layer:
    return Layer(
        index=0,
        name="layer",
        type=type_,
        group="",
        inputs=(-1,) * len(inputs),
        input_shapes=inputs,
        output_shapes=outputs,
        dtype="float32",
        params=0,
        trainable_params=0,
        buffers=0,
        macs=0,
        activation_bytes=0,
        blocks=(),
        receptive_field=None,
        hyperparameters=tuple(hyperparameters.items()),
    )


@pytest.mark.parametrize(
    ("type_name", "kind"),
    [
        ("Conv2d", Kind.CONVOLUTION),
        ("Conv2dSame", Kind.CONVOLUTION),
        ("BatchNorm2d", Kind.NORMALISATION),
        ("LocalResponseNorm", Kind.NORMALISATION),
        ("ReLU6", Kind.ACTIVATION),
        ("relu", Kind.ACTIVATION),
        ("Hardswish", Kind.ACTIVATION),
        ("SiLU", Kind.ACTIVATION),
        ("GELU", Kind.ACTIVATION),
        ("AdaptiveAvgPool2d", Kind.POOLING),
        ("UpsamplingBilinear2d", Kind.POOLING),
        ("mean", Kind.POOLING),
        ("Linear", Kind.LINEAR),
        ("add", Kind.MERGE),
        ("cat", Kind.MERGE),
        ("mul", Kind.ATTENTION),
        ("scaled_dot_product_attention", Kind.ATTENTION),
        ("Dropout", Kind.REGULARISATION),
        ("Identity", Kind.REGULARISATION),
        ("flatten", Kind.RESHAPE),
        ("ChannelShuffle", Kind.RESHAPE),
        ("MyOwnLayer", Kind.OTHER),
    ],
)
def test_the_type_tells_the_kind(type_name: str, kind: Kind) -> None:
    assert kind_of(type_name) is kind


def test_a_convolution_reads_kernel_stride_and_output_channels() -> None:
    stem = layer("Conv2d", ((1, 3, 224, 224),), ((1, 64, 112, 112),), kernel_size=(7, 7), stride=(2, 2))
    assert hyperparameter_text(stem) == "7×7 /2, 64"


def test_a_stride_of_one_goes_without_saying() -> None:
    plain = layer("Conv2d", ((1, 64, 56, 56),), ((1, 64, 56, 56),), kernel_size=(1, 3), stride=(1, 1))
    assert hyperparameter_text(plain) == "1×3, 64"


def test_a_convolution_with_one_filter_a_channel_is_called_depthwise() -> None:
    shapes = ((1, 32, 56, 56),)
    assert hyperparameter_text(layer("Conv2d", shapes, shapes, kernel_size=(3, 3), groups=32)) == "3×3, 32, depthwise"
    assert hyperparameter_text(layer("Conv2d", shapes, shapes, kernel_size=(3, 3), groups=4)) == "3×3, 32, 4 groups"


def test_dilation_is_named_where_there_is_some() -> None:
    shapes = ((1, 8, 9, 9),)
    dilated = layer("Conv2d", shapes, shapes, kernel_size=(3, 3), dilation=(2, 2))
    assert hyperparameter_text(dilated) == "3×3, 8, dilation 2"


def test_pooling_reads_its_window_or_its_output() -> None:
    assert hyperparameter_text(layer("MaxPool2d", kernel_size=(3, 3), stride=(2, 2))) == "3×3 /2"
    assert hyperparameter_text(layer("AdaptiveAvgPool2d", output_size=(1, 1))) == "→ 1×1"
    assert hyperparameter_text(layer("AdaptiveAvgPool2d", output_size=1)) == "→ 1×1"
    assert hyperparameter_text(layer("Upsample", scale_factor=2.0)) == "×2.0"


def test_a_linear_layer_reads_its_features() -> None:
    assert hyperparameter_text(layer("Linear", ((1, 2048),), ((1, 1000),))) == "2048 → 1000"


def test_other_layers_read_what_sets_them_apart() -> None:
    assert hyperparameter_text(layer("Dropout", p=0.5)) == "p = 0.5"
    assert hyperparameter_text(layer("LeakyReLU", negative_slope=0.1)) == "slope 0.1"
    assert hyperparameter_text(layer("GroupNorm", num_groups=32)) == "32 groups"
    assert hyperparameter_text(layer("ReLU")) == ""


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (999, "999"), (9408, "9.41 k"), (215_808, "216 k"), (25_557_032, "25.6 M")]
)
def test_counts_are_cut_to_three_digits(count: int, text: str) -> None:
    assert count_text(count) == text
