"""When the last byte went onto the wire, whoever wrote it: asyncio, aiohttp, httpx and websockets all use `socket`."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

_written_at = 0.0
_cpu_when_written = 0.0


def watch() -> None:
    """Takes the time after each write of this process; to be called once, before anything is connected."""

    def watched(write: Callable[..., Any]) -> Callable[..., Any]:
        def write_and_note(*arguments: Any) -> Any:
            global _written_at, _cpu_when_written
            try:
                return write(*arguments)
            finally:
                _written_at, _cpu_when_written = time.perf_counter(), time.thread_time()

        return write_and_note

    for name in ("send", "sendall", "sendmsg"):
        setattr(socket.socket, name, watched(getattr(socket.socket, name)))


def cpu_when_written() -> float:
    """The writing thread's CPU seconds after its last write."""
    return _cpu_when_written


async def timed(act: Callable[[], Awaitable[Any]]) -> list[float]:
    """Seconds from the call until the last byte was written, until `act` ended, and of this process's CPU."""
    used, start = time.process_time(), time.perf_counter()
    await act()
    end, cpu = time.perf_counter(), time.process_time() - used
    return [_written_at - start, end - start, cpu]


async def repeated(prepare: Callable[[int], Callable[[], Awaitable[Any]]], repeats: int) -> list[list[float]]:
    """:func:`timed` for each repeat, with what `prepare` makes for its number; what that costs does not count.

    Before each, the process rests for a moment, in which it does what the one before has left.
    """
    found = []
    for number in range(repeats):
        act = prepare(number)
        await asyncio.sleep(0.01)
        found.append(await timed(act))
    return found


def chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """What Paradex takes as one batch, at a time."""
    return [items[start : start + size] for start in range(0, len(items), size)]
