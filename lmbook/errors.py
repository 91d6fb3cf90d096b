"""The error that is the caller's to mend."""


class InputError(ValueError):
    """Says in one line what was wrong with the input and what is accepted.

    The command line prints it and exits with code 2; no traceback is needed.
    """
