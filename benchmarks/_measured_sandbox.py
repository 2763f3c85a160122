"""The sandbox's own command, in a process that tells how much memory it uses.

    python -m benchmarks._measured_sandbox [--trace] serve …

On SIGUSR1 it collects garbage, gives free memory back to the system (so that neither garbage nor what the allocator
keeps in reserve counts) and prints one JSON object: `rss`, the resident bytes; `blocks`, how many blocks of memory
Python's objects occupy; and with --trace `traced`, the bytes that Python's objects occupy (tracemalloc: everything is
about three times slower, and `rss` includes its books).
"""

import ctypes
import gc
import json
import signal
import sys
import tracemalloc
from contextlib import suppress

import psutil

from paradex_sandbox.cli import main


def report(*_: object) -> None:
    """Prints the line."""
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc only
    figures = {"rss": psutil.Process().memory_info().rss, "blocks": sys.getallocatedblocks()}
    if tracemalloc.is_tracing():
        figures["traced"] = tracemalloc.get_traced_memory()[0]
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["--trace"]:
        del arguments[0]
        tracemalloc.start()
    signal.signal(signal.SIGUSR1, report)
    sys.exit(main(arguments))
