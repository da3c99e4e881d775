"""What one pass through a network tells a surgeon: which module made which tensor from which others.

The pass runs on the meta device, so that it costs no memory, whatever the network's own device is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from explorer.architectures.tensors import tensors_in
from explorer.errors import InputError

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A module that ran, or a torch function that a module's own code called."""

    path: str
    """Of the module that ran, or of the one whose code called the function; empty for the network itself."""
    function: str
    """Name of the function; empty for a module."""
    inputs: tuple[int, ...]
    """Numbers of the tensors that it was given. A tensor that is written to gets a new number."""
    outputs: tuple[int, ...]
    leaf: bool
    """Whether it holds no other modules."""
    alone: bool = False
    """Whether a module was given one tensor and nothing else, so that something can run in front of it."""


@dataclass(slots=True)
class Survey:
    """The calls of one pass, in the order in which they ended."""

    calls: list[Call] = field(default_factory=list)
    shapes: dict[int, Shape] = field(default_factory=dict)
    """Of each tensor, by its number; the network's input is number 0."""
    depths: dict[int, int] = field(default_factory=dict)
    """Weighted layers on the longest way to each tensor."""

    def of(self, path: str) -> list[Call]:
        """Returns the calls of the module at `path` itself."""
        return [call for call in self.calls if call.path == path and not call.function]


def survey(network: nn.Module, input: Shape) -> Survey:
    """Runs a network once in evaluation mode on meta tensors and returns what was called.

    Args:
        network: on any device; it is left as it was.
        input: (C, H, W).

    Raises:
        InputError: the network cannot take such an input; the text says where and why.
    """
    surveyor = _Surveyor(network)
    x = torch.zeros(1, *input, device="meta")
    surveyor.number(x)
    tensors = {name: tensor.to("meta") for name, tensor in _tensors(network)}
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad(), surveyor.hooks(), surveyor:
            torch.func.functional_call(network, tensors, (x,), strict=False)
    except Exception as error:  # whatever a network can raise
        raise InputError(surveyor.failure(error)) from error
    finally:
        for module, training in modes.items():
            module.training = training
    return surveyor.survey


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()


class _Surveyor(TorchFunctionMode):
    """Numbers the tensors of a pass."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.survey = Survey()
        self._network = network
        self._paths = {module: path for path, module in network.named_modules()}
        self._open: list[nn.Module] = []
        self._arguments: list[tuple[tuple[int, ...], list[tuple[Tensor, int]]]] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[Tensor] = []  # an id stays a tensor's own for as long as the tensor lives

    def number(self, tensor: Tensor) -> int:
        """Gives a tensor the next number."""
        fresh = self._numbers[id(tensor)] = len(self.survey.shapes)
        self._kept.append(tensor)
        self.survey.shapes[fresh] = tuple(tensor.shape)
        self.survey.depths.setdefault(fresh, 0)
        return fresh

    def hooks(self) -> ExitStack:
        """Watches every module until the stack is closed."""
        stack = ExitStack()
        for module in self._network.modules():
            stack.callback(module.register_forward_pre_hook(self._enter, with_kwargs=True).remove)
            stack.callback(module.register_forward_hook(self._leave).remove)
        return stack

    def failure(self, error: Exception) -> str:
        """Says where the pass stopped, and why."""
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0].partition(" (")[0].rstrip(".") if lines else type(error).__name__
        path = self._paths[self._open[-1]] if self._open else ""
        return f"at {path} ({type(self._open[-1]).__name__}), {reason[:150]}" if path else reason[:150]

    def _known(self, value: object) -> tuple[int, ...]:
        return tuple(self._numbers[id(tensor)] for tensor in tensors_in(value) if id(tensor) in self._numbers)

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._open.append(module)
        given = list(tensors_in([args, kwargs]))
        self._arguments.append((self._known(given), [(tensor, tensor._version) for tensor in given]))

    def _leave(self, module: nn.Module, args: tuple[Any, ...], result: object) -> None:
        self._open.pop()
        inputs, before = self._arguments.pop()
        alone = len(args) == 1 and isinstance(args[0], Tensor) and len(inputs) == 1
        leaf = next(module.children(), None) is None
        path = self._paths[module]
        if leaf:
            untouched = {id(tensor) for tensor, version in before if tensor._version == version}
            made = [tensor for tensor in tensors_in(result) if id(tensor) not in untouched]
            weighted = isinstance(getattr(module, "weight", None), Tensor) and module.weight.dim() > 1  # type: ignore[operator]
            self._count(inputs, made, int(weighted))
        self.survey.calls.append(Call(path, "", inputs, self._known(result), leaf, alone))

    def _count(self, inputs: tuple[int, ...], made: list[Tensor], weighted: int) -> None:
        depth = max((self.survey.depths[number] for number in inputs), default=0) + weighted
        for tensor in made:
            self.survey.depths[self.number(tensor)] = depth

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # The meta kernel of batch normalisation takes more time than all others together.
        result = torch.empty_like(args[0]) if func is functional.batch_norm else func(*args, **(kwargs or {}))
        inside_a_leaf = bool(self._open) and next(self._open[-1].children(), None) is None
        if inside_a_leaf or not isinstance(result, Tensor | list | tuple):
            return result
        with torch._C.DisableTorchFunction():
            inputs, made = self._known([args, kwargs or {}]), list(tensors_in(result))
            if inputs and made:
                name = getattr(func, "__name__", "").strip("_")
                weights = [t for t in tensors_in([args, kwargs or {}]) if isinstance(t, nn.Parameter) and t.dim() > 1]
                self._count(inputs, made, int(bool(weights)))
                path = self._paths[self._open[-1]] if self._open else ""
                self.survey.calls.append(Call(path, name, inputs, self._known(made), True))
        return result
