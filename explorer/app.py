"""The composition root of the window."""

from __future__ import annotations

import os
import sys
from pathlib import Path

USAGE = "usage: architecture-explorer [--architecture NAME] [IMAGE, FOLDER or RUN …]   (or --help for the commands)"


def run(arguments: list[str]) -> int:
    """Opens the window and returns the program's exit status when it is closed."""
    try:
        name, paths = _read(arguments)
    except ValueError as error:
        _say(f"architecture-explorer: {error}; {USAGE}")
        return 2
    if not _has_display():
        _say(
            "architecture-explorer: there is no display to open a window on: set DISPLAY, use `ssh -X` or `xvfb-run`, "
            "or work without a window (`show resnet50`, `--help` for the rest)"
        )
        return 2
    if sys.platform == "win32":
        import torch  # noqa: F401  # its libraries do not load there once Qt's are
    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QApplication

    from explorer.ui.garbage import GarbageCollection
    from explorer.ui.main_window import MainWindow
    from explorer.ui.theme import apply_theme

    # Qt lets go of the interpreter's lock at every turn and waits this long for it while another thread is busy.
    sys.setswitchinterval(0.0005)
    application = QApplication(["architecture-explorer"])
    application.setApplicationName("Architecture Explorer")
    application.setDesktopFileName("architecture-explorer")
    GarbageCollection(application)
    settings = QSettings("architecture-explorer", "architecture-explorer")
    apply_theme(application, str(settings.value("window/theme", "system")))
    window = MainWindow(settings)
    window.closed.connect(application.quit)
    window.show()
    window.begin(name, paths)
    return application.exec()


def _read(arguments: list[str]) -> tuple[str, list[Path]]:
    """Returns the network to open with and the paths to open."""
    name = ""
    paths = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--architecture":
            name = next(rest, "")
            if not name:
                raise ValueError("--architecture needs a NAME")
        elif argument.startswith("--architecture="):
            name = argument.partition("=")[2]
        elif argument.startswith("-"):
            raise ValueError(f"there is no option {argument}")
        elif not Path(argument).exists():
            raise ValueError(f"{argument} is neither a command nor a file or folder")
        else:
            paths.append(Path(argument).resolve())
    if name:
        from explorer.architectures.registry import entry
        from explorer.errors import InputError

        try:
            if ":" not in name:  # the libraries' names are looked up once torch is there
                entry(name)
        except InputError as error:
            raise ValueError(str(error)) from None
    return name, paths


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin") or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201
