"""The exception for training that cannot go on."""


class TrainingError(RuntimeError):
    """Training cannot go on, though nothing that the user gave is wrong in itself.

    Its text is one line that names the problem and the way out; the command line prints it and exits with status 1.
    """
