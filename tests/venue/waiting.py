"""Waiting for what is to happen, with an end and with a sentence for when it does not."""

import asyncio
import inspect
import socket
from collections.abc import Awaitable, Callable

TIMEOUT = 90.0  # seconds; a venue that is far away, or a machine that is busy, needs some


def is_free(port: int) -> bool:
    """Whether a server can listen on a port of this machine, as one that comes back wants to.

    A client that looks for a server that is gone may be given the very port as its own, and meet itself; until it
    has noticed, nobody else can have it.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


async def until[T](
    condition: Callable[[], T | Awaitable[T]], what: str, *, timeout: float = TIMEOUT, pause: float = 0.05
) -> T:
    """Asks until the answer is true, for what no event tells.

    :param condition: a function or coroutine function
    :param what: the state that is waited for, for the error
    :param pause: seconds between two questions
    :return: the answer that was true
    :raises AssertionError: if that takes longer than `timeout`, with the last answer
    """
    answer: T | None = None
    try:
        async with asyncio.timeout(timeout):
            while True:
                result = condition()
                answer = await result if inspect.isawaitable(result) else result
                if answer:
                    return answer
                await asyncio.sleep(pause)
    except TimeoutError:
        raise AssertionError(f"after {timeout:g} s it is not so that {what}; last answer: {answer!r}") from None
