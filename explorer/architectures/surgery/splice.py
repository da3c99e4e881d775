"""Putting modules before, after or in the place of others without losing the names of what was there.

A module that gets company moves one level down, to `base`: `layer1.0.bn3.weight` becomes `layer1.0.bn3.base.weight`.
Loading a state dict accepts the former name as well, so that weights of the untouched network can be loaded with
`strict=False`: only what was added is missing then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from explorer.errors import InputError


class Inserted(nn.Module):
    """What a step adds to a network; later steps look for no blocks in it."""


class Around(nn.Module):
    """A module with something added to it: `base` is what was there."""

    base: nn.Module

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in [name for name in state_dict if name.startswith(prefix)]:
            rest = name.removeprefix(prefix)
            if rest.partition(".")[0] not in self._modules:
                state_dict[f"{prefix}base.{rest}"] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args)


class Spliced(Around):
    """Modules that run one after the other, among them `base`."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base

    def put(self, name: str, module: nn.Module, before: bool) -> None:
        """Adds a module before or after all others, under `name` or the next one that is free."""
        taken = set(self._modules) | set(self.base._modules) | set(self.base._parameters) | set(self.base._buffers)
        free = next(each for each in (name, *(f"{name}{number}" for number in range(2, 1000))) if each not in taken)
        self.add_module(free, module)
        if before:
            for other in [other for other in self._modules if other != free]:
                self._modules[other] = self._modules.pop(other)

    def forward(self, x: Tensor) -> Tensor:
        for module in self._modules.values():
            x = module(x)  # type: ignore[misc]
        return x


def own_modules(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yields the modules that a network had before anything was added, by their present paths, outer ones first."""
    if isinstance(module, Inserted):
        return
    if not isinstance(module, Around):
        yield path, module
    children = [("base", module.base)] if isinstance(module, Around) else list(module.named_children())
    for name, child in children:
        yield from own_modules(child, f"{path}.{name}" if path else name)


def find(network: nn.Module, path: str) -> tuple[nn.Module, str]:
    """Returns the parent and the name in it of the module that had this path before anything was added."""
    parent, parts = network, path.split(".")
    for part in parts[:-1]:
        parent = _child(parent, part)[0]._modules[part]  # type: ignore[assignment]
    return _child(parent, parts[-1])


def _child(parent: nn.Module, name: str) -> tuple[nn.Module, str]:
    while name not in parent._modules and isinstance(parent, Around):
        parent = parent.base
    if name not in parent._modules:
        raise InputError(f"{type(parent).__name__} has no {name!r} any more")
    return parent, name


def get(network: nn.Module, path: str) -> nn.Module:
    """Returns the module that had this path before anything was added."""
    parent, name = _inner(network, path)
    return parent._modules[name]  # type: ignore[return-value]


def _inner(network: nn.Module, path: str) -> tuple[nn.Module, str]:
    parent, name = find(network, path)
    while isinstance(there := parent._modules[name], Spliced):
        parent, name = there, "base"
    return parent, name


def insert(network: nn.Module, path: str, name: str, module: nn.Module, before: bool = False) -> None:
    """Lets `module` run after, or before, the module at `path`."""
    module.train(network.training)
    parent, last = find(network, path)
    there = parent._modules[last]
    assert there is not None
    if not isinstance(there, Spliced):
        there = parent._modules[last] = Spliced(there).train(network.training)
    there.put(name, module, before)


def replace(network: nn.Module, path: str, module: nn.Module) -> None:
    """Puts `module` in the place of the one at `path`, which keeps what runs before and after it."""
    parent, name = _inner(network, path)
    parent._modules[name] = module.train(network.training)
