"""One pass over small networks whose layers, edges and costs are known by hand."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from explorer.inspection.anatomy import INPUT, Anatomy, Layer, Shape
from explorer.inspection.capture import capture


def inspect(network: nn.Module, *shapes: Shape) -> Anatomy:
    anatomy = capture(network.to("meta"), shapes)
    assert anatomy.failure is None
    return anatomy


def named(anatomy: Anatomy, name: str) -> Layer:
    return next(layer for layer in anatomy.layers if layer.name == name)


def sources(anatomy: Anatomy, name: str) -> list[str]:
    return ["input" if index == INPUT else anatomy.layers[index].name for index in named(anatomy, name).inputs]


def small_network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.skip = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.skip(x)
        return functional.relu(self.conv(x) + shortcut)


class TokenClassifier(nn.Module):
    """Its class token belongs to no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 6))
        self.position = nn.Parameter(torch.zeros(1, 5, 6))
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:  # (B, 4, 6)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1) + self.position
        return self.head(x[:, 0])  # type: ignore[no-any-return]


# -- what the rows say ---------------------------------------------------------------------------------------------


def test_rows_of_a_small_network_are_those_computed_by_hand() -> None:
    anatomy = inspect(small_network(), (1, 3, 8, 8))
    rows = [(row.name, row.type, row.inputs, row.output_shapes, row.params, row.macs) for row in anatomy.layers]
    assert rows == [
        ("0", "Conv2d", (-1,), ((1, 4, 8, 8),), 4 * 3 * 9, 8 * 8 * 4 * 3 * 9),
        ("1", "BatchNorm2d", (0,), ((1, 4, 8, 8),), 4 + 4, 0),
        ("2", "ReLU", (1,), ((1, 4, 8, 8),), 0, 0),
        ("3", "MaxPool2d", (2,), ((1, 4, 4, 4),), 0, 0),
        ("4", "Flatten", (3,), ((1, 64),), 0, 0),
        ("5", "Linear", (4,), ((1, 10),), 64 * 10 + 10, 64 * 10),
    ]
    assert anatomy.inputs == ((1, 3, 8, 8),)
    assert anatomy.outputs == ((1, 10),)
    assert anatomy.output_layers == (5,)
    assert (anatomy.params, anatomy.macs) == (108 + 8 + 650, 6912 + 640)


def test_activation_bytes_count_new_memory_alone() -> None:
    anatomy = inspect(small_network(), (1, 3, 8, 8))
    # in place and view cost nothing
    assert [layer.activation_bytes for layer in anatomy.layers] == [4 * 256, 4 * 256, 0, 4 * 64, 0, 4 * 10]
    assert anatomy.activation_bytes == 2 * 1024 + 256 + 40


def test_batch_size_scales_activations_and_macs_but_not_parameters() -> None:
    one, three = (inspect(small_network(), (size, 3, 8, 8)) for size in (1, 3))
    assert three.params == one.params
    assert three.macs == 3 * one.macs
    assert three.activation_bytes == 3 * one.activation_bytes


def test_buffers_are_counted_beside_parameters() -> None:
    anatomy = inspect(small_network(), (1, 3, 8, 8))
    assert [layer.buffers for layer in anatomy.layers] == [0, 4 + 4 + 1, 0, 0, 0, 0]


def test_frozen_parameters_are_not_trainable() -> None:
    network = small_network()
    network[0].requires_grad_(False)
    anatomy = inspect(network, (1, 3, 8, 8))
    assert (anatomy.layers[0].params, anatomy.layers[0].trainable_params) == (108, 0)
    assert anatomy.trainable_params == anatomy.params - 108


def test_operations_between_modules_are_rows_with_edges() -> None:
    anatomy = inspect(nn.Sequential(nn.Conv2d(3, 4, 1), Residual()), (1, 3, 8, 8))
    assert [layer.name for layer in anatomy.layers] == ["0", "1.skip", "1.conv", "1.add", "1.relu"]
    assert [layer.group for layer in anatomy.layers] == ["", "1", "1", "1", "1"]
    assert [(group.path, group.type) for group in anatomy.groups] == [("1", "Residual")]
    assert sources(anatomy, "1.add") == ["1.conv", "1.skip"]
    assert named(anatomy, "1.add").input_shapes == ((1, 4, 8, 8), (1, 4, 8, 8))


def test_what_an_identity_hands_on_does_not_feed_the_others_that_use_its_input() -> None:
    anatomy = inspect(nn.Sequential(nn.Conv2d(3, 4, 1), Residual()), (1, 3, 8, 8))
    assert sources(anatomy, "1.conv") == ["0"]
    assert named(anatomy, "1.skip").activation_bytes == 0


def test_an_operation_in_place_feeds_all_that_use_its_input_later() -> None:
    class InPlace(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 2
            y.add_(1)
            return torch.cat([y, x], 1)

    anatomy = inspect(InPlace(), (1, 2, 3, 3))
    assert [layer.name for layer in anatomy.layers] == ["mul", "add", "cat"]
    assert sources(anatomy, "cat") == ["add", "input"]
    assert named(anatomy, "add").activation_bytes == 0


def test_writing_into_a_part_of_a_tensor_is_a_row_that_feeds_what_follows() -> None:
    class Writing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = torch.zeros_like(x)
            y[:, :1] = x[:, 1:]
            return y.relu()

    anatomy = inspect(Writing(), (1, 2, 3, 3))
    assert sources(anatomy, "assign") == ["zeros_like", "slice"]
    assert sources(anatomy, "relu") == ["assign"]


def test_transposing_by_property_is_a_row() -> None:
    class Transposing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x @ x.mT

    anatomy = inspect(Transposing(), (1, 2, 3))
    assert named(anatomy, "transpose").output_shapes == ((1, 3, 2),)
    assert sources(anatomy, "matmul") == ["input", "transpose"]


def test_a_module_without_children_is_one_row_whatever_it_computes() -> None:
    class Squash(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(x * 0.5) + 1

    anatomy = inspect(nn.Sequential(Squash()), (1, 2))
    assert [(layer.name, layer.type) for layer in anatomy.layers] == [("0", "Squash")]


def test_a_network_without_modules_is_shown_by_its_operations() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(5, 3, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return functional.conv2d(x, self.weight, stride=2).flatten(1)

    anatomy = inspect(Bare(), (1, 3, 7, 7))
    assert [(layer.name, layer.params, layer.macs) for layer in anatomy.layers] == [
        ("conv2d", 135, 3 * 3 * 135),
        ("flatten", 0, 0),
    ]
    assert dict(anatomy.layers[0].hyperparameters) == {"kernel_size": (3, 3), "stride": (2, 2), "padding": (0, 0)}


# -- parameters ----------------------------------------------------------------------------------------------------


def test_a_shared_module_is_two_rows_and_counted_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 1, bias=False)
            self.relu = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.relu(self.conv(self.relu(self.conv(x))))  # type: ignore[no-any-return]

    anatomy = inspect(Twice(), (1, 2, 3, 3))
    assert [(layer.name, layer.params, layer.macs) for layer in anatomy.layers] == [
        ("conv", 4, 36),
        ("relu", 0, 0),
        ("conv#2", 0, 36),
        ("relu#2", 0, 0),
    ]
    assert anatomy.params == 4


def test_tied_parameters_are_counted_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 3, bias=False)
            self.second = nn.Linear(3, 3, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x: Tensor) -> Tensor:
            return functional.linear(self.second(self.first(x)), self.first.weight)

    with torch.device("meta"):
        anatomy = inspect(Tied(), (1, 3))
    assert [layer.params for layer in anatomy.layers] == [9, 0, 0]
    assert anatomy.params == 9


def test_a_parameter_that_belongs_to_no_layer_is_charged_to_the_operation_that_takes_it_in() -> None:
    anatomy = inspect(TokenClassifier(), (1, 4, 6))
    assert [(layer.name, layer.params) for layer in anatomy.layers] == [
        ("cat", 6),
        ("add", 30),
        ("slice", 0),
        ("head", 14),
    ]
    assert sources(anatomy, "cat") == ["input"]


def test_parameters_that_the_pass_did_not_use_are_rows_that_were_not_run() -> None:
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)
            self.extra = nn.Sequential(nn.Linear(3, 4), nn.ReLU())

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x) if not self.training else self.extra(x)  # type: ignore[no-any-return]

    anatomy = inspect(Auxiliary(), (1, 3))
    assert [(layer.name, layer.executed, layer.params) for layer in anatomy.layers] == [
        ("head", True, 8),
        ("extra.0", False, 16),
    ]
    unused = anatomy.layers[1]
    assert (unused.type, unused.group, unused.inputs, unused.macs, unused.activation_bytes) == (
        "Linear",
        "extra",
        (),
        0,
        0,
    )
    assert anatomy.params == 24


def test_a_reparametrised_layer_keeps_its_parameters_and_edges() -> None:
    anatomy = inspect(nn.Sequential(parametrizations.weight_norm(nn.Conv2d(2, 3, 3))), (1, 2, 5, 5))
    assert sum(layer.params for layer in anatomy.layers) == anatomy.params == 3 + 54 + 3
    convolution = named(anatomy, "0.conv2d")
    assert INPUT in convolution.inputs
    assert convolution.macs == 9 * 54
    assert anatomy.outputs == ((1, 3, 3, 3),)


def test_what_is_computed_from_parameters_alone_counts_its_macs() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = nn.Parameter(torch.zeros(4, 2))
            self.right = nn.Parameter(torch.zeros(2, 6))

        def forward(self, x: Tensor) -> Tensor:  # (B, 4, 6)
            return x + self.left @ self.right

    anatomy = inspect(Table(), (1, 4, 6))
    assert [(layer.name, layer.inputs, layer.params, layer.macs) for layer in anatomy.layers] == [
        ("matmul", (), 20, 48),
        ("add", (INPUT, 0), 0, 0),
    ]


# -- inputs and outputs --------------------------------------------------------------------------------------------


def test_several_inputs_all_stand_for_the_input() -> None:
    class Pair(nn.Module):
        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return torch.cat([left, right], 1)

    anatomy = inspect(Pair(), (1, 2, 4, 4), (1, 3, 4, 4))
    assert anatomy.inputs == ((1, 2, 4, 4), (1, 3, 4, 4))
    assert anatomy.layers[0].inputs == (INPUT,)
    assert anatomy.layers[0].input_shapes == anatomy.inputs
    assert anatomy.outputs == ((1, 5, 4, 4),)


@dataclass
class Result:
    logits: Tensor
    extra: dict[str, list[Tensor]]
    loss: Tensor | None = None


@pytest.mark.parametrize(
    "wrap",
    [
        lambda a, b: (a, b),
        lambda a, b: [a, (b,)],
        lambda a, b: {"out": a, "aux": b, "name": "x"},
        lambda a, b: Result(a, {"maps": [b]}),
    ],
    ids=["tuple", "list", "dict", "dataclass"],
)
def test_outputs_are_found_in_whatever_holds_them(wrap: object) -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor) -> object:
            return wrap(x.relu(), x.sigmoid())  # type: ignore[operator]

    anatomy = inspect(Two(), (1, 3))
    assert anatomy.outputs == ((1, 3), (1, 3))
    assert [anatomy.layers[index].name for index in anatomy.output_layers] == ["relu", "sigmoid"]


def test_a_network_that_returns_its_input_has_the_input_as_output_layer() -> None:
    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    anatomy = inspect(Nothing(), (1, 3))
    assert anatomy.layers == ()
    assert anatomy.output_layers == (INPUT,)


# -- kernels that hide others --------------------------------------------------------------------------------------


def test_fused_attention_counts_both_of_its_products() -> None:
    class Attention(nn.Module):
        def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return functional.scaled_dot_product_attention(q, k, v)

    heads, queries, keys, width, value = 3, 5, 7, 8, 6
    anatomy = inspect(Attention(), (1, heads, queries, width), (1, heads, keys, width), (1, heads, keys, value))
    assert anatomy.macs == heads * queries * keys * (width + value)


def test_a_transformer_layer_is_not_hidden_by_its_fast_path() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    anatomy = inspect(nn.Sequential(layer), (1, 5, 8))
    assert {"0.linear1", "0.linear2", "0.norm1", "0.norm2"} <= {row.name for row in anatomy.layers}
    projections, products, dense = 4 * 5 * 8 * 8, 2 * 5 * 5 * 8, 2 * 5 * 8 * 16
    assert anatomy.macs == projections + products + dense


def test_checkpointed_blocks_are_shown_like_others() -> None:
    from torch.utils.checkpoint import checkpoint

    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.fc, x, use_reentrant=False)  # type: ignore[no-any-return]

    anatomy = inspect(Checkpointed(), (1, 3))
    assert [(layer.name, layer.inputs, layer.macs) for layer in anatomy.layers] == [("fc", (INPUT,), 12)]
    assert anatomy.output_layers == (0,)


def test_deformable_convolutions_count_their_macs() -> None:
    from torchvision.ops import DeformConv2d

    class Deformable(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.offset = nn.Conv2d(4, 18, 3, padding=1)
            self.conv = DeformConv2d(4, 6, 3, padding=1, groups=2)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x, self.offset(x))  # type: ignore[no-any-return]

    anatomy = inspect(Deformable(), (1, 4, 5, 5))
    assert named(anatomy, "conv").macs == 5 * 5 * 6 * (4 // 2) * 9
    assert sources(anatomy, "conv") == ["input", "offset"]


# -- what it leaves behind -----------------------------------------------------------------------------------------


class Failing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = small_network()
        self.drop = nn.Dropout()

    def forward(self, x: Tensor) -> Tensor:
        self.body(self.drop(x))
        raise ValueError("no")


@pytest.mark.parametrize("network", [small_network(), TokenClassifier(), Failing()], ids=lambda n: type(n).__name__)
def test_the_network_is_left_as_it_was(network: nn.Module) -> None:
    network = copy.deepcopy(network).to("meta")
    for index, module in enumerate(network.modules()):
        module.training = index % 2 == 0
    flags = [module.training for module in network.modules()]
    tensors = {name: id(tensor) for name, tensor in network.named_parameters()}
    state = list(network.state_dict())
    capture(network, [(1, 4, 6) if isinstance(network, TokenClassifier) else (1, 3, 8, 8)])
    assert [module.training for module in network.modules()] == flags
    assert {name: id(tensor) for name, tensor in network.named_parameters()} == tensors
    assert list(network.state_dict()) == state
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert torch.is_grad_enabled()


def test_a_network_with_real_weights_computes_the_same_afterwards() -> None:
    network = small_network().train()
    x = torch.randn(2, 3, 8, 8)
    before = copy.deepcopy(network)
    capture(network, [(1, 3, 8, 8)])
    for ours, theirs in zip(network.state_dict().values(), before.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(network(x), before(x))
    assert network.training


def test_two_passes_say_the_same() -> None:
    network = TokenClassifier()
    assert inspect(network, (1, 4, 6)) == inspect(network, (1, 4, 6))
