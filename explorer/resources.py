"""Finds the files of `resources/`, from a checkout and from an installed wheel alike."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_resources"  # where the wheel puts them; a checkout has no such folder
ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "resources"


def resource(*parts: str) -> Path:
    """Returns the path of a file or folder of `resources/`.

    Raises:
        FileNotFoundError: the installation lacks it.
    """
    path = ROOT.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: this installation of Architecture Explorer is incomplete")
    return path
