"""The exceptions for training that cannot go on."""


class TrainingError(RuntimeError):
    """Training cannot go on, though nothing that the user gave is wrong in itself.

    Its text is one line that names the problem and the way out; the command line prints it and exits with status 1.
    """

    def __init__(self, text: str, accumulate: int = 0) -> None:
        super().__init__(text)
        self.accumulate = accumulate
        """Parts that the recipe's batch fits into the memory in; 0 where that is not what was wrong."""


class StoppedError(TrainingError):
    """Another of the processes that train together was told to end; the run is saved."""


class UnwritableError(TrainingError):
    """A file of the run cannot be written; with room for it, the run can be resumed."""
