"""A network with its weights as a file that other programs run: ONNX, torch.export's `.pt2`, or weights alone."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.errors import InputError
from explorer.inspection.anatomy import Shape
from explorer.inspection.saving import check_place, ending, save

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

FORMATS = ("onnx", "pt2", "safetensors")
"""Endings of the files that `write_network` makes."""
METADATA = "explorer"
"""Key of the network's description, a JSON object, in all of them."""
_EXAMPLES = 2
"""Batch size of the example: torch.export takes a batch of 1 for a constant."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    path: str
    any_batch: bool
    """Whether it takes batches of any size; otherwise of one image."""


def write_network(
    network: nn.Module, shapes: Sequence[Shape], path: Path, description: Mapping[str, Any], name: str
) -> Exported:
    """Writes a network in the format that the file's ending names.

    ONNX files have passed ONNX's own checker and name their tensors `input` and `output` where there is one of each.
    `.pt2` is read by `torch.export.load`, without the code of the network. `.safetensors` holds the state dict.

    Args:
        network: on the CPU, with real weights; it is left in evaluation mode.
        shapes: of its inputs, batch first.
        path: ends in one of `FORMATS`; replaced if it is there, and whole or not there at all.
        description: plain values, stored as JSON under `METADATA`.
        name: of the network, for messages.

    Raises:
        InputError: the ending is none of those, the file cannot be written, or the network cannot be exported.
    """
    form = ending(path, FORMATS)
    check_place(path)
    network.eval().requires_grad_(False)
    text = json.dumps(description, ensure_ascii=False)
    if form == "safetensors":
        save(path, lambda target: _write_safetensors(network, target, text))
        return Exported(str(path), True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        try:
            program, any_batch = _trace(network, shapes)
            if form == "pt2":
                save(path, lambda target: _write_pt2(program, target, text))
            else:
                save(path, lambda target: _write_onnx(program, any_batch, target, text))
        except InputError:
            raise
        except Exception as error:  # whatever torch cannot do with a network
            raise InputError(f"{name} cannot be exported as .{form}: {_reason(error)}") from error
    return Exported(str(path), any_batch)


def _trace(network: nn.Module, shapes: Sequence[Shape]) -> tuple[ExportedProgram, bool]:
    """Returns the network's operations as one graph, for any batch size if it takes any."""
    import torch
    from torch.export import Dim, export

    batch = Dim("batch")
    with torch.no_grad():
        examples = tuple(torch.zeros(_EXAMPLES, *shape[1:]) for shape in shapes)
        try:
            network(*examples)  # gives lazy modules their size
            return export(network, examples, dynamic_shapes=_for_each_input(network, examples, {0: batch})), True
        except Exception:  # a network that is made for one image, or computes with the batch size
            return export(network, tuple(torch.zeros(*shape) for shape in shapes)), False


def _for_each_input(network: nn.Module, examples: tuple[Tensor, ...], axes: dict[int, Any]) -> tuple[Any, ...]:
    """The same axes for each input; those of `forward(self, *inputs)` are one argument."""
    import inspect

    each = tuple(axes for _ in examples)
    parameters = inspect.signature(network.forward).parameters.values()
    variadic = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    return (each,) if variadic else each


def _write_onnx(program: ExportedProgram, any_batch: bool, path: Path, description: str) -> None:
    import onnx
    import torch

    inputs, outputs = program.graph_signature.user_inputs, program.graph_signature.user_outputs
    exported = torch.onnx.export(
        program,
        dynamo=True,
        verbose=False,
        input_names=["input"] if len(inputs) == 1 else None,
        output_names=["output"] if len(outputs) == 1 else None,
        dynamic_shapes=tuple({0: "batch"} for _ in inputs) if any_batch else None,  # names the axis
    )
    assert exported is not None
    exported.model.metadata_props[METADATA] = description
    exported.save(str(path))
    onnx.checker.check_model(str(path), full_check=True)


def _write_pt2(program: ExportedProgram, path: Path, description: str) -> None:
    import torch

    torch.export.save(program, path, extra_files={METADATA: description})


def _write_safetensors(network: nn.Module, path: Path, description: str) -> None:
    from safetensors.torch import save_file

    # Copies: weights that two layers share would be refused.
    weights = {name: tensor.clone().contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, path, {"format": "pt", METADATA: description})


def _reason(error: Exception) -> str:
    """The first line that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 200 else f"{text[:199].rstrip()}…"
