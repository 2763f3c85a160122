"""Long histories in little memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator


class PackedHistory[T]:
    """The newest `length` items, oldest first, each kept as one short string and made anew whenever it is asked for.

    A record of six numbers takes a hundred bytes instead of six hundred, which counts where each market has one for
    every minute of a week. `unpack` must give back exactly what `pack` was given.
    """

    def __init__(self, length: int, pack: Callable[[T], str], unpack: Callable[[str], T]) -> None:
        self._pack = pack
        self._unpack = unpack
        self._items: deque[str] = deque(maxlen=length)

    def append(self, item: T) -> None:
        """Adds the newest item; the oldest goes where there are too many."""
        self._items.append(self._pack(item))

    def extend(self, items: Iterable[T]) -> None:
        """Adds items, the oldest first."""
        self._items.extend(map(self._pack, items))

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return map(self._unpack, self._items)

    def __reversed__(self) -> Iterator[T]:
        return map(self._unpack, reversed(self._items))
