"""What is measured: the process, the event loop, and everything in the connector that can hold things."""

import asyncio
import ctypes
import gc
import os
import tracemalloc
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
from cachetools import TTLCache

from tests.soak.growth import HEAP, RSS, TRACED

CONTAINERS = (dict, set, list, deque, asyncio.Queue)
#: As long as a bounded container beside them.
MIRRORS = ("connector._told_fills_set",)
_OURS = ("hummingbot.connector", "hummingbot.core.data_type", "hummingbot.core.web_assistant")
_DEPTH = 5
_MALLINFO2 = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _MallInfo(ctypes.Structure):
    """`struct mallinfo2` of glibc: what is in its heap and, of large pieces, beside it."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in _MALLINFO2)


_LIBC = ctypes.CDLL(None)
_HAS_GLIBC = hasattr(_LIBC, "mallinfo2")
if _HAS_GLIBC:
    _LIBC.mallinfo2.restype = _MallInfo


def _heap() -> dict[str, float]:
    """Bytes of the C heap that are in use. What is free in it goes back to the system first: RSS shows what is held."""
    if not _HAS_GLIBC:
        return {}
    _LIBC.malloc_trim(0)
    info = _LIBC.mallinfo2()
    return {HEAP: info.uordblks + info.hblkhd - tracemalloc.get_tracemalloc_memory()}


def measure(connector: Any) -> dict[str, float]:
    """Every number of this moment, by name; those of containers have a dot in it."""
    gc.collect()
    process = psutil.Process(os.getpid())
    descriptors = [_target(link) for link in Path("/proc/self/fd").iterdir()]
    numbers: dict[str, float] = {
        **_heap(),
        RSS: process.memory_info().rss - tracemalloc.get_tracemalloc_memory(),
        TRACED: tracemalloc.get_traced_memory()[0],
        "tasks": len(asyncio.all_tasks()),
        "open files": len(descriptors),
        "sockets": sum(target.startswith("socket:") for target in descriptors),
        "threads": process.num_threads(),
        "tracked orders": len(connector.in_flight_orders),
    }
    for name, container in containers(connector, "connector"):
        numbers[name] = numbers.get(name, 0) + _size(container)
    return numbers


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # it was that of the folder itself
        return ""


def _size(container: Any) -> int:
    return container.qsize() if isinstance(container, asyncio.Queue) else len(container)


def containers(thing: Any, name: str, seen: set[int] | None = None, depth: int = _DEPTH) -> Iterator[tuple[str, Any]]:
    """The containers that an object holds, and those of the objects of the connector and the framework in it.

    Those within a container share a name: how large they are together is what counts.
    """
    seen = set() if seen is None else seen
    if id(thing) in seen or depth < 0:
        return
    seen.add(id(thing))
    for key, value in _attributes(thing):
        path = f"{name}.{key}"
        if isinstance(value, CONTAINERS) or _is_cache(value):
            if id(value) in seen:
                continue
            seen.add(id(value))
            if not _is_bounded(value) and path not in MIRRORS:
                yield path, value
            for part in _parts(value):
                if isinstance(part, CONTAINERS):
                    yield f"{path}.*", part
                elif _is_ours(part):
                    yield from containers(part, f"{path}.*", seen, depth - 1)
        elif _is_ours(value):
            yield from containers(value, path, seen, depth - 1)


def _attributes(thing: Any) -> list[tuple[str, Any]]:
    own = dict(getattr(thing, "__dict__", {}))
    for kind in type(thing).__mro__:
        for slot in getattr(kind, "__slots__", ()):
            if isinstance(slot, str) and hasattr(thing, slot):
                own[slot] = getattr(thing, slot)
    return list(own.items())


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, Collection) else []


def _is_bounded(value: Any) -> bool:
    """Whether it cannot grow for ever; the framework keeps closed orders for a while in such ones."""
    return getattr(value, "maxlen", None) is not None or isinstance(value, TTLCache)


def _is_cache(value: Any) -> bool:
    return isinstance(value, Mapping) and type(value).__module__.partition(".")[0] in ("cachetools", "collections")


def _is_ours(value: Any) -> bool:
    return type(value).__module__.startswith(_OURS)
