"""Reads the public binary frames that a recording needs: trades, books and market summaries.

The block length that a frame states decides where its groups and strings begin, so that frames of other versions of the
schema can be read too. Pure functions.
"""

import struct
from decimal import Decimal

from paradex_sandbox.exchange.model import Side
from paradex_sandbox.recording import BookRecord, Levels, MarkRecord, Record, TradeRecord

_HEADER = struct.Struct("<HHHH")
_TRADE = struct.Struct("<qqqBqqq")
_BOOK = struct.Struct("<qqB")
_SUMMARY = struct.Struct("<qqqq")
_GROUP = struct.Struct("<HH")
_LEVEL = struct.Struct("<qq")
_TRADE_ID, _BOOK_ID, _SUMMARY_ID = 1, 3, 4
_SIDES = {1: Side.BUY, 2: Side.SELL}
_NULL = -(2**63)
_UNIT = Decimal("1E-8")


class FrameError(ValueError):
    """Bytes that are no frame, or one that is cut off."""


def read_frame(frame: bytes) -> Record | None:
    """The record in a frame, None for templates that a recording does not need. Raises FrameError."""
    try:
        block_length, template, _, _ = _HEADER.unpack_from(frame)
        if template == _TRADE_ID:
            return _trade(frame, _HEADER.size + block_length)
        if template == _BOOK_ID:
            return _book(frame, _HEADER.size + block_length)
        if template == _SUMMARY_ID:
            return _mark(frame, _HEADER.size + block_length)
    except (struct.error, IndexError, UnicodeDecodeError, KeyError) as error:
        raise FrameError(f"not a frame: {error}") from error
    return None


def _trade(frame: bytes, at: int) -> TradeRecord:
    ts, _, number, side, price, size, _ = _TRADE.unpack_from(frame, _HEADER.size)
    market, at = _string(frame, at)
    # Version 2 appends the whole id; the number is its lower 64 bits.
    trade_id = _string(frame, at)[0] if at < len(frame) else str(number)
    return TradeRecord(ts, market, trade_id, _SIDES[side], price * _UNIT, size * _UNIT)


def _book(frame: bytes, at: int) -> BookRecord:
    ts, seq, package = _BOOK.unpack_from(frame, _HEADER.size)
    bids, at = _levels(frame, at)
    asks, at = _levels(frame, at)
    return BookRecord(ts, _string(frame, at)[0], seq, package == 0, bids, asks)


def _mark(frame: bytes, at: int) -> MarkRecord | None:
    ts, _, mark, spot = _SUMMARY.unpack_from(frame, _HEADER.size)
    if _NULL in (mark, spot):
        return None
    return MarkRecord(ts, _string(frame, at)[0], mark * _UNIT, spot * _UNIT)


def _levels(frame: bytes, at: int) -> tuple[Levels, int]:
    length, count = _GROUP.unpack_from(frame, at)
    start, end = at + _GROUP.size, at + _GROUP.size + length * count
    if length < _LEVEL.size or end > len(frame):
        raise IndexError("a group is cut off")
    levels = (_LEVEL.unpack_from(frame, position) for position in range(start, end, length))
    return tuple((price * _UNIT, size * _UNIT) for price, size in levels), end


def _string(frame: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + frame[at]
    if end > len(frame):
        raise IndexError("a string is cut off")
    return frame[at + 1 : end].decode(), end
