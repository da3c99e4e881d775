"""What a user's Python file offers to show."""

from __future__ import annotations

import ast
from pathlib import Path

from explorer.errors import InputError


def callables_in(path: Path) -> list[str]:
    """Returns the names of the public classes and functions of a Python file, read and not run; classes first.

    Raises:
        InputError: it cannot be read, is not Python, or has none.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as Python: {error}") from None
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    names = [name for name in [*functions, *reversed(classes)] if not name.startswith("_")]
    if not names:
        raise InputError(f"{path} has no class and no function: name a torch.nn.Module or a function that gives one")
    return names
