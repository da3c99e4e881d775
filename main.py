"""`python main.py` opens the window; `python main.py COMMAND …` works headless."""

import sys

from explorer.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
