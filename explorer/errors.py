"""The one exception that stands for a mistake in what the user gave."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    Its text is one line that names the problem, the value and the way out; the command line prints it and exits
    with status 2, the window shows it in place.
    """
