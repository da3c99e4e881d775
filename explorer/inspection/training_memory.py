"""Memory of one step of training, from a real step on tensors that have shapes and no memory.

Forward pass, loss, backward pass and the optimiser's state are made in full, as torch's own code makes them, of fake
tensors (`torch._subclasses.FakeTensorMode`). A dispatch mode sees every block of memory that an operation makes, and
weak references tell when the last tensor, Python name or node of the autograd graph lets go of it. So nothing here is
a formula: what lives is the same, byte for byte, as in a real step on the CPU. What kernels take for themselves while
they run (workspaces of cuDNN and oneDNN), and what an allocator rounds up or keeps, comes on top.

Mixed precision is that of a GPU, which can only be imitated without one: the forward pass runs under torch's autocast
for the CPU, with layer norm, softmax and their like in 32 bits as on CUDA. What lives at its end is then within 1 % of
what fake CUDA tensors give; but for local response normalisation, where the CPU's autocast pools in 32 bits and CUDA's
does not: AlexNet's activations come out 10 % too large and GoogLeNet's 5 %.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from explorer.architectures.registry import build
from explorer.errors import InputError
from explorer.inspection.anatomy import Shape
from explorer.inspection.memory import PARTS, Optimiser, Part, Phase, Precision, TrainingMemory, TrainingSetup
from explorer.inspection.portrait import Portrait
from explorer.tasks import classification


def training_memory(portrait: Portrait, setup: TrainingSetup) -> TrainingMemory:
    """Builds the network of a portrait anew and returns what a step of training it takes.

    Raises:
        InputError: it cannot be trained so; the text says why.
    """
    entry = portrait.entry
    if portrait.failure_text:
        raise InputError(portrait.failure_text)
    if entry.task != "classification":
        raise InputError(f"what a step of {entry.task.replace('_', ' ')} takes depends on its targets and its loss")
    module = build(entry, portrait.input, device="meta", **dict(portrait.chosen))
    return step_memory(module, portrait.anatomy.inputs, setup)


def step_memory(module: nn.Module, inputs: Sequence[Shape], setup: TrainingSetup) -> TrainingMemory:
    """Returns what a step of training a classifier takes, with cross-entropy as the loss.

    Args:
        module: on any device, the meta device for instance. It is left as it was: fakes take the place of its
            parameters and buffers, and every module has its training flag back.
        inputs: shapes of the positional inputs, batch first; the setup's batch size takes the place of theirs.
        setup: batch size, optimiser and precision.

    Raises:
        InputError: the network cannot be trained so; the text says why.
    """
    if setup.batch < 1:
        raise InputError(f"the batch size must be at least 1, not {setup.batch}")
    shapes = [(setup.batch, *shape[1:]) for shape in inputs]
    try:
        with (
            _training(module),
            FakeTensorMode(allow_non_fake_inputs=True, allow_fallback_kernels=False),
            torch.enable_grad(),
        ):
            return _step(module, shapes, setup)
    except Exception as error:  # a user's network may raise anything
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise InputError(f"a step with a batch of {setup.batch} fails: {reason}") from error


@contextmanager
def _training(module: nn.Module) -> Iterator[None]:
    """Training mode for the time of the step, each module's own flag restored after it."""
    flags = [(part, part.training) for part in module.modules()]
    module.train()
    try:
        yield
    finally:
        for part, training in flags:
            part.training = training


def _step(module: nn.Module, shapes: Sequence[Shape], setup: TrainingSetup) -> TrainingMemory:
    parameters = {name: _fake(tensor) for name, tensor in module.named_parameters()}
    buffers = {name: _fake(tensor) for name, tensor in module.named_buffers()}
    trained = [tensor for tensor in parameters.values() if tensor.requires_grad]
    if not trained:
        raise ValueError("it has no parameters to train")
    optimiser = _optimiser(setup.optimiser, trained)
    storages = _Storages()
    for kind, tensors in {
        "parameters": parameters.values(),
        "buffers": buffers.values(),
        "optimiser": _state(optimiser),
    }.items():
        for tensor in tensors:
            storages.add(tensor, kind)
    with storages:
        images = [torch.empty(shape) for shape in shapes]
        labels = torch.empty(setup.batch, dtype=torch.int64)
        for tensor in (*images, labels):
            storages.add(tensor, "input")
        with _autocast(setup.precision):
            outputs = functional_call(module, (parameters, buffers), tuple(images))
        loss = classification.loss(_in_32_bits(outputs), labels)  # as Lightning Fabric hands them on
        forward = storages.now
        loss.backward()  # type: ignore[no-untyped-call]
        for tensor in trained:
            if tensor.grad is not None:
                storages.add(tensor.grad, "gradients")
        backward = storages.now
        if isinstance(optimiser, optim.RMSprop):  # the others update in place, as fused kernels do
            optimiser.step()
    return _summed(storages, setup, forward, backward)


def _fake(tensor: Tensor) -> Tensor:
    """Returns a tensor of the same form without memory."""
    return torch.empty_strided(
        tuple(tensor.shape), tensor.stride(), dtype=tensor.dtype, requires_grad=tensor.requires_grad
    )


def _optimiser(name: Optimiser, parameters: Sequence[Tensor]) -> optim.Optimizer:
    """Returns the optimiser with its state in place, as it is after a first step."""
    # Fused forms update in place; without a kernel for fakes, torch would run them on real memory.
    optimiser: optim.Optimizer
    if name == "rmsprop":
        optimiser = optim.RMSprop(parameters, foreach=False)
    elif name == "adam":
        optimiser = optim.Adam(parameters, foreach=False)
    elif name == "adamw":
        optimiser = optim.AdamW(parameters, foreach=False)
    else:
        optimiser = optim.SGD(parameters, lr=0.1, momentum=0.9 if name == "sgd-momentum" else 0.0, foreach=False)
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    optimiser.zero_grad()
    return optimiser


def _state(optimiser: optim.Optimizer) -> list[Tensor]:
    return [value for state in optimiser.state.values() for value in state.values() if isinstance(value, Tensor)]


@contextmanager
def _autocast(precision: Precision) -> Iterator[None]:
    """Mixed precision as on a GPU: torch's own autocast for the CPU, and what only that for CUDA keeps in 32 bits."""
    if precision == "32":
        yield
    else:
        with torch.autocast("cpu", torch.bfloat16 if precision == "bf16" else torch.float16), _In32Bits():
            yield


class _In32Bits(TorchFunctionMode):
    """Runs in 32 bits what torch's "CUDA Ops that can autocast to float32" lists and its list for the CPU does not."""

    _NAMES = frozenset(
        (
            "layer_norm",
            "group_norm",
            "softmax",
            "log_softmax",
            "softplus",
            "pow",
            "__pow__",
            "exp",
            "log",
            "rsqrt",
            "norm",
        )
    )

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in self._NAMES:
            args, kwargs = _in_32_bits((args, kwargs))
        return func(*args, **kwargs)


def _in_32_bits(values: Any) -> Any:
    """Returns arguments or results with all floating-point tensors in 32 bits."""
    return tree_map_only(Tensor, lambda tensor: tensor.float() if tensor.is_floating_point() else tensor, values)


class _Storages(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its base untyped
    """Notes when each block of memory is made and when it is given back."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes: list[int] = []
        """Of each block, by number."""
        self.kinds: list[str] = []
        """Of each block, by number: one of `PARTS`; temporary unless it turns out to be something else."""
        self.events: list[int] = []
        """Number of a block that was made, or its complement `~number` when it was given back."""
        self._living: dict[int, tuple[int, weakref.ref[Any]]] = {}
        """Number of a block by its address."""

    @property
    def now(self) -> int:
        """How many events there have been."""
        return len(self.events)

    def add(self, tensor: Tensor, kind: str = "temporaries") -> None:
        """Notes the block in which a tensor lies, and what it is for."""
        storage = tensor.untyped_storage()
        address = storage._cdata
        if address not in self._living:
            number = len(self.bytes)
            self.bytes.append(storage.nbytes())
            self.kinds.append("temporaries")
            self.events.append(number)
            # A storage keeps its Python object, and with it this reference, for as long as anything in C++ holds it.
            self._living[address] = number, weakref.ref(storage, lambda _: self._given_back(address))
        if kind != "temporaries":
            self.kinds[self._living[address][0]] = kind

    def living(self, event: int) -> set[int]:
        """Returns the numbers of the blocks that live before an event."""
        living: set[int] = set()
        for number in self.events[:event]:
            living.symmetric_difference_update((max(number, ~number),))
        return living

    def by_kind(self, numbers: Iterable[int]) -> Counter[str]:
        """Returns the bytes of some blocks by their kinds."""
        sums: Counter[str] = Counter()
        for number in numbers:
            sums[self.kinds[number]] += self.bytes[number]
        return sums

    def _given_back(self, address: int) -> None:
        number, _ = self._living.pop(address)
        self.events.append(~number)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self.add(tensor)
        if func is torch.ops.aten._to_copy.default:
            self._note_copy(args[0], result)
        return result

    def _note_copy(self, source: Tensor, copy: Tensor) -> None:
        """Tells the 16-bit copies of weights, which autocast keeps until the backward pass, from activations."""
        number, _ = self._living.get(source.untyped_storage()._cdata, (-1, None))
        if number >= 0 and self.kinds[number] == "parameters":
            self.add(copy, "weight_copies")


def _summed(storages: _Storages, setup: TrainingSetup, forward: int, backward: int) -> TrainingMemory:
    """Returns the parts in full and when most lives; `forward` and `backward` tell where these passes end."""
    changes = (storages.bytes[event] if event >= 0 else -storages.bytes[~event] for event in storages.events)
    live = list(accumulate(changes))
    peak = live.index(max(live))
    for number in storages.living(forward):
        if storages.kinds[number] == "temporaries":
            storages.kinds[number] = "activations"
    at_peak = storages.by_kind(storages.living(peak + 1))
    in_full = storages.by_kind(range(len(storages.bytes)))
    in_full["temporaries"] = at_peak["temporaries"]  # which are never all there at once
    phase: Phase = "forward" if peak < forward else "backward" if peak < backward else "update"
    parts = tuple(Part(kind, in_full[kind], at_peak[kind]) for kind in PARTS)
    return TrainingMemory(setup, parts, live[peak], phase)
