"""What happens in one forward pass, put together into layers: who made which tensor, and what each cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from explorer.architectures.tensors import tensors_in
from explorer.inspection import closed_form
from explorer.inspection.anatomy import Failure, Group, Layer, Shape
from explorer.inspection.failure_text import explain
from explorer.inspection.hyperparameters import of_call, of_module

_TRANSPARENT = frozenset(
    ("get", "contiguous", "detach", "to", "type", "type_as", "float", "half", "bfloat16", "double", "alias")
)
"""Calls that hand on the same values: whoever uses the result is fed by whoever made the argument."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a tensor's values come from."""

    layers: tuple[int, ...] = ()
    params: tuple[nn.Parameter, ...] = ()
    """Parameters in it that no layer has been charged for yet: a class token that was expanded, say."""


@dataclass(slots=True)
class _Work:
    """A module or operation while it runs."""

    name: str
    type: str
    group: str
    module: nn.Module | None
    arguments: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    shapes: tuple[Shape, ...]
    versions: tuple[int, ...]
    """How often each argument had been written to."""
    macs: int = 0
    params: list[nn.Parameter] = field(default_factory=list)


class Recorder:
    """Collects layers while the observers report; one pass each."""

    def __init__(self, root: nn.Module) -> None:
        self.root = root
        self.layers: list[Layer] = []
        self.groups: dict[str, Group] = {}
        named = list(root.named_modules())
        self.modules = [module for _, module in named]
        self._paths = {id(module): path for path, module in named}
        self._open: list[nn.Module] = []
        self._work: _Work | None = None
        self._failed: _Work | None = None
        self._origins: dict[int, Origin] = {}
        self._kept: list[Tensor] = []  # an id stays a tensor's own for as long as the tensor lives
        self._charged: set[int] = set()
        self._calls: dict[str, int] = {}
        self.blocks: list[int] = []
        """Bytes of each block of memory that inputs and outputs lie in."""
        self._block_of: dict[int, int] = {}

    # -- what tensors come from ------------------------------------------------------------------------------------

    def hand_over(self, tensor: Tensor, origin: Origin) -> None:
        """Notes that `tensor` now holds values of `origin`."""
        self._origins[id(tensor)] = origin
        self._kept.append(tensor)

    def origin(self, tensor: Tensor) -> Origin:
        if isinstance(tensor, nn.Parameter):
            return Origin(params=(tensor,))
        return self._origins.get(id(tensor), Origin())

    def block(self, tensor: Tensor) -> int:
        """Returns the number of the block of memory in which a tensor lies."""
        storage = tensor.untyped_storage()
        number = self._block_of.setdefault(storage._cdata, len(self.blocks))
        if number == len(self.blocks):
            self.blocks.append(storage.nbytes())
        return number

    # -- work ------------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a leaf module or an operation runs: what happens inside belongs to it."""
        return self._work is not None

    def begin(self, name: str, type_: str, arguments: Iterable[Tensor], module: nn.Module | None = None) -> None:
        arguments = tuple(arguments)
        origins = [self.origin(argument) for argument in arguments]
        data = [tensor for tensor, origin in zip(arguments, origins, strict=True) if origin.layers]
        self._work = _Work(
            name=name,
            type=type_,
            group=self._paths.get(id(self._open[-1]), "") if self._open else "",
            module=module,
            arguments=arguments,
            inputs=tuple(dict.fromkeys(index for origin in origins for index in origin.layers)),
            shapes=tuple(tuple(tensor.shape) for tensor in data),
            versions=tuple(map(_version, arguments)),
            params=[parameter for origin in origins for parameter in origin.params],
        )

    def count(self, macs: int) -> None:
        if self._work is not None:
            self._work.macs += macs

    def end(self, result: object, hyperparameters: tuple[tuple[str, object], ...]) -> object:
        """Turns the work at hand into a layer that has made `result`, and returns what the network goes on with."""
        work = self._work
        if work is None:
            return result
        result = _told_apart(result, work)  # before the work ends, since it calls an operation itself
        self._work = self._failed = None
        outputs = list(tensors_in(result))
        module = work.module
        held, buffers = ((), ()) if module is None else (module._parameters.values(), module._buffers.values())
        own = self._charge([*held, *work.params])
        index, known = len(self.layers), len(self.blocks)
        blocks = tuple(map(self.block, outputs))
        self.layers.append(
            Layer(
                index=index,
                name=self._unique(work.name),
                type=work.type,
                group=work.group,
                inputs=work.inputs,
                input_shapes=work.shapes,
                output_shapes=tuple(tuple(tensor.shape) for tensor in outputs),
                dtype=str(outputs[0].dtype).removeprefix("torch.") if outputs else "",
                params=sum(parameter.numel() for parameter in own),
                trainable_params=sum(parameter.numel() for parameter in own if parameter.requires_grad),
                buffers=sum(buffer.numel() for buffer in self._charge(buffers)),
                macs=work.macs,
                activation_bytes=sum(self.blocks[known:]),
                blocks=blocks,
                receptive_field=None,
                hyperparameters=hyperparameters,
            )
        )
        self._note_groups()
        for tensor in outputs:
            self.hand_over(tensor, Origin((index,)))
        return result

    def _charge(self, tensors: Iterable[Tensor | None]) -> list[Tensor]:
        """Returns those that no layer has been charged for yet, and charges them."""
        fresh = []
        for tensor in tensors:
            if tensor is not None and id(tensor) not in self._charged:
                self._charged.add(id(tensor))
                fresh.append(tensor)
        return fresh

    def _unique(self, name: str) -> str:
        calls = self._calls[name] = self._calls.get(name, 0) + 1
        return name if calls == 1 else f"{name}#{calls}"

    def _note_groups(self) -> None:
        for module in self._open:
            path = self._paths.get(id(module), "")
            if path and path not in self.groups:
                self.groups[path] = Group(path, type(module).__name__)

    # -- modules ---------------------------------------------------------------------------------------------------

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Watches every module of the network."""
        handles = []
        for module in self.modules:
            handles.append(module.register_forward_pre_hook(self._enter, with_kwargs=True))
            handles.append(module.register_forward_hook(self._leave))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.busy:
            return
        if module is self.root or module._modules:
            self._open.append(module)
            return
        path = self._paths.get(id(module), type(module).__name__)
        with torch._C.DisableTorchFunction():  # what we ask of tensors is no operation of the network
            self.begin(path, type(module).__name__, tensors_in([args, kwargs]), module)

    def _leave(self, module: nn.Module, args: tuple[Any, ...], result: object) -> object:
        if self._work is not None and self._work.module is module:
            with torch._C.DisableTorchFunction():
                return self.end(result, of_module(module))
        if module in self._open:
            while self._open.pop() is not module:  # an exception that the network caught itself left these open
                pass
        return result

    # -- ends ------------------------------------------------------------------------------------------------------

    def failure(self, error: BaseException) -> Failure:
        """Says where the pass stopped."""
        work = self._failed or self._work
        if work is None:
            path = self._paths.get(id(self._open[-1]), "") if self._open else ""
            type_ = type(self._open[-1]).__name__ if self._open else type(self.root).__name__
            return Failure(path, type_, (), explain(error, None, ()))
        return Failure(work.name, work.type, work.shapes, explain(error, work.module, work.shapes), work.inputs)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs one torch function of the network's own code and records it where it makes tensors from the input."""
        arguments = [] if self.busy else list(tensors_in([args, kwargs]))
        if not arguments:
            return self._run(function, args, kwargs)
        name = _operation(function)
        if name in _TRANSPARENT:
            result = self._run(function, args, kwargs)
            self._pass_on(arguments, result)
            return result
        path = self._paths.get(id(self._open[-1]), "") if self._open else ""
        self.begin(f"{path}.{name}" if path else name, name, arguments)
        work = self._work
        assert work is not None
        try:
            result = self._run(function, args, kwargs)
        except Exception:
            self._failed, self._work = work, None
            raise
        written = args[0] if name == "assign" else result
        if (work.inputs or work.macs) and any(True for _ in tensors_in(written)):
            ended = self.end(written, of_call(name, args, kwargs))
            return result if name == "assign" else ended
        self._work = None
        self._pass_on(arguments, result)
        return result

    def _run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Calls a torch function, or answers for it; its kernels are watched where they may multiply."""
        if function in closed_form.ANSWERS:
            with torch._C._DisableTorchDispatch():
                answer = closed_form.ANSWERS[function](*args, **kwargs)
            if answer is not None:
                self.count(answer.macs)
                return answer.result
        if function in closed_form.WITHOUT_MACS:
            with torch._C._DisableTorchDispatch():
                return function(*args, **kwargs)
        return function(*args, **kwargs)

    def _pass_on(self, arguments: Iterable[Tensor], result: object) -> None:
        """Notes that `result` holds values of the arguments, without a layer in between."""
        origins = [self.origin(argument) for argument in arguments]
        params = tuple(parameter for origin in origins for parameter in origin.params)
        layers = tuple(dict.fromkeys(index for origin in origins for index in origin.layers))
        for tensor in tensors_in(result):
            if id(tensor) not in self._origins and (layers or params):
                self.hand_over(tensor, Origin(layers, params))

    def add_unused(self) -> None:
        """Adds parameters that the pass did not touch (auxiliary heads, say), so that the columns sum to the totals."""
        for module in self.modules:
            own = self._charge(module._parameters.values())
            if not own:
                continue
            path = self._paths[id(module)]
            self.layers.append(
                Layer(
                    index=len(self.layers),
                    name=self._unique(path or type(module).__name__),
                    type=type(module).__name__,
                    group=path.rpartition(".")[0],
                    inputs=(),
                    input_shapes=(),
                    output_shapes=(),
                    dtype=str(own[0].dtype).removeprefix("torch."),
                    params=sum(parameter.numel() for parameter in own),
                    trainable_params=sum(parameter.numel() for parameter in own if parameter.requires_grad),
                    buffers=sum(buffer.numel() for buffer in self._charge(module._buffers.values())),
                    macs=0,
                    activation_bytes=0,
                    blocks=(),
                    receptive_field=None,
                    hyperparameters=of_module(module),
                    executed=False,
                )
            )


def _told_apart(result: object, work: _Work) -> object:
    """Returns `result`, under a new identity where it is an argument handed on untouched.

    What an `Identity` gives is the very tensor that it got: whoever uses that tensor later would seem to be fed by it.
    """
    for argument, version in zip(work.arguments, work.versions, strict=True):
        if result is argument and _version(argument) == version:
            return argument.view_as(argument)
    return result


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


@cache
def _operation(function: Callable[..., Any]) -> str:
    """Returns the plain name of a function, operator or property: `__iadd__` and `add_` are both `add`."""
    raw: str = getattr(function, "__name__", "operation")
    if raw == "__get__":  # a property of a tensor: all but the transposed hand on its values, or none
        name = getattr(getattr(function, "__self__", None), "__name__", "")
        return "transpose" if name in ("T", "mT", "H", "mH") else "get"
    name = raw.strip("_")
    if raw.startswith("__"):
        operators = {"truediv", "floordiv", "getitem", "add", "sub", "mul", "matmul", "pow", "mod"}
        for prefix in ("", "i", "r"):
            if name.startswith(prefix) and name[len(prefix) :] in operators:
                name = name[len(prefix) :]
                break
    plain = {"truediv": "div", "concat": "cat", "concatenate": "cat", "getitem": "slice", "setitem": "assign"}
    return plain.get(name, name)
