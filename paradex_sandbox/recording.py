"""Recorded market data, for `paradex-sandbox record` to write and `Replay` to play.

A recording is JSON lines in UTF-8, gzip-compressed if its name ends in `.gz`. The first line says what it is; every
other line is one record, in the order of time. Times are microseconds since the Unix epoch, prices and sizes decimal
numbers as text, levels are [price, size] with the best first:

    {"type": "paradex-recording", "version": 1}
    {"type": "mark", "ts": 1790000000000000, "market": "BTC-USD-PERP", "mark_price": "95000.1", "spot_price": "94990"}
    {"type": "book", "ts": 1790000000000000, "market": "BTC-USD-PERP", "seq": 7, "is_snapshot": true,
     "bids": [["94999", "0.5"]], "asks": [["95001", "0.4"]]}
    {"type": "book", "ts": 1790000000100000, "market": "BTC-USD-PERP", "seq": 8, "is_snapshot": false,
     "bids": [["94999", "0"], ["94998", "1"]], "asks": []}
    {"type": "trade", "ts": 1790000000150000, "market": "BTC-USD-PERP", "id": "1", "side": "BUY", "price": "95001",
     "size": "0.1"}

(each on one line). A snapshot replaces the book; other book records give the new total size of the levels they name,
0 where one is gone. A trade's `side` is the taker's. A `mark` sets mark and spot price; without any the mark follows
the middle of the book. A line cut off at the end, as a killed recorder leaves it, is ignored.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any, Self

from paradex_sandbox.exchange.model import Side

_FORMAT, _VERSION = "paradex-recording", 1

type Levels = tuple[tuple[Decimal, Decimal], ...]


class RecordingError(Exception):
    """A file that is no recording; the message names file, line and field."""


@dataclass(frozen=True, slots=True)
class BookRecord:
    """A whole book, or the levels of it that changed."""

    ts: int
    market: str
    seq: int
    is_snapshot: bool
    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True)
class TradeRecord:
    """A public trade; `side` is the taker's."""

    ts: int
    market: str
    id: str
    side: Side
    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class MarkRecord:
    ts: int
    market: str
    mark_price: Decimal
    spot_price: Decimal


type Record = BookRecord | TradeRecord | MarkRecord


class Writer:
    """Writes a recording; use it as a context manager, or `close` it."""

    def __init__(self, path: Path | str) -> None:
        """Creates the file, or replaces what is there. Raises OSError."""
        self._file: IO[str] = _open(path, "wt")
        self._line({"type": _FORMAT, "version": _VERSION})

    def write(self, record: Record) -> None:
        self._line(encode(record))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self, data: dict[str, Any]) -> None:
        self._file.write(json.dumps(data, separators=(",", ":")) + "\n")


def read(path: Path | str) -> Iterator[Record]:
    """The records of a file, one by one. Raises RecordingError where it is none, and OSError."""
    with _open(path, "rt") as file:
        try:
            _check_header(path, file.readline())
            for number, line in enumerate(file, start=2):
                if not line.endswith("\n"):
                    return
                yield _decode_line(path, number, line)
        except (UnicodeDecodeError, gzip.BadGzipFile) as error:
            raise RecordingError(f"{path} is no recording: {error}") from error
        except EOFError:
            # A compressed file that was not closed ends without its last block.
            return


def encode(record: Record) -> dict[str, Any]:
    """A record as the JSON object of its line."""
    match record:
        case BookRecord():
            return {
                "type": "book",
                "ts": record.ts,
                "market": record.market,
                "seq": record.seq,
                "is_snapshot": record.is_snapshot,
                "bids": [[f"{price:f}", f"{size:f}"] for price, size in record.bids],
                "asks": [[f"{price:f}", f"{size:f}"] for price, size in record.asks],
            }
        case TradeRecord():
            return {
                "type": "trade",
                "ts": record.ts,
                "market": record.market,
                "id": record.id,
                "side": record.side.value,
                "price": f"{record.price:f}",
                "size": f"{record.size:f}",
            }
        case MarkRecord():
            return {
                "type": "mark",
                "ts": record.ts,
                "market": record.market,
                "mark_price": f"{record.mark_price:f}",
                "spot_price": f"{record.spot_price:f}",
            }


def decode(data: dict[str, Any]) -> Record:
    """The way back from `encode`; KeyError, TypeError or ValueError for what is no record."""
    ts, market = int(data["ts"]), str(data["market"])
    kind = data["type"]
    if kind == "book":
        bids, asks = _levels(data["bids"]), _levels(data["asks"])
        return BookRecord(ts, market, int(data["seq"]), bool(data["is_snapshot"]), bids, asks)
    if kind == "trade":
        price, size = _number(data["price"]), _number(data["size"])
        return TradeRecord(ts, market, str(data["id"]), Side(data["side"]), price, size)
    if kind == "mark":
        return MarkRecord(ts, market, _number(data["mark_price"]), _number(data["spot_price"]))
    raise ValueError(f"unknown type {kind!r}")


def _levels(data: list[list[str]]) -> Levels:
    return tuple((_number(price), _number(size)) for price, size in data)


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number") from None
    if not number.is_finite() or number < 0:
        raise ValueError(f"{text!r} is no size or price")
    return number


def _decode_line(path: Path | str, number: int, line: str) -> Record:
    try:
        return decode(json.loads(line))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{path}, line {number}: {type(error).__name__}: {error}") from error


def _check_header(path: Path | str, line: str) -> None:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("type") != _FORMAT:
        raise RecordingError(f"{path} is no recording: its first line does not say so")
    if header.get("version") != _VERSION:
        raise RecordingError(f"{path} has version {header.get('version')}, this sandbox reads {_VERSION}")


def _open(path: Path | str, mode: str) -> IO[str]:
    if str(path).endswith(".gz"):
        return gzip.open(path, mode, encoding="utf-8", newline="\n")  # type: ignore[return-value]
    return open(path, mode, encoding="utf-8", newline="\n")
