"""Networks from a user's own Python file, which is run as any script of theirs would be."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from explorer.errors import InputError


def load_builder(name: str) -> Callable[..., object]:
    """Runs the file of `path/to/file.py:NAME` and returns the class or function NAME, or a way to its module.

    Raises:
        InputError: the file fails, or has no such name, or the name is nothing that gives a module.
    """
    from torch import nn

    path, _, attribute = name.rpartition(":")
    file = Path(path).resolve()
    spec = importlib.util.spec_from_file_location(f"_user_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # data classes and pickle look their module up
    sys.path.insert(0, str(file.parent))  # so that the file's own neighbours can be imported, as when it is run
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path} fails when it is loaded: {reason}") from error
    finally:
        with suppress(ValueError):  # the file took it out itself
            sys.path.remove(str(file.parent))
    if not hasattr(module, attribute):
        callables = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise InputError(f"{path} has no {attribute!r}; it has {', '.join(callables) or 'nothing to call'}")
    found = getattr(module, attribute)
    if isinstance(found, nn.Module):
        return lambda: found
    if not callable(found):
        raise InputError(
            f"{name} is of type {type(found).__name__}: name a torch.nn.Module class or a function that gives one"
        )
    return found  # type: ignore[no-any-return]
