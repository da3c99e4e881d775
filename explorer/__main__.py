"""Where the program starts: a command works headless, anything else opens the window."""

from __future__ import annotations

import sys

COMMANDS = ("list", "show", "compare", "train", "classify", "datasets", "graph", "export")


def main(arguments: list[str] | None = None) -> int:
    """Runs the program and returns its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and (arguments[0] in COMMANDS or arguments[0] in ("-h", "--help", "--version")):
        try:
            from explorer import cli

            return cli.run(arguments)
        except KeyboardInterrupt:
            return 130
    from explorer import app

    return app.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
