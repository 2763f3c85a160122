"""What ends a demo early."""


class DemoError(Exception):
    """Something that the demo needs does not work; the message is one line for the user."""


class Interrupted(BaseException):
    """A signal asks the demo to end. Like KeyboardInterrupt, it is not caught as an error.

    :param signal_number: which signal
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
