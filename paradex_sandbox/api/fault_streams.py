"""Faults of the streams: what becomes of a channel's message on its way to those who listen."""

import asyncio
import json
import struct
from collections.abc import Callable, Sequence
from typing import Protocol

from paradex_sandbox.api.fault_http import replace_field
from paradex_sandbox.api.sbe import ENUM_OFFSETS
from paradex_sandbox.faults import Fault, FaultKind, FaultRegistry

Message = bytes | str

_HEADER = struct.Struct("<HHHH")
_UNKNOWN_TEMPLATE = 9999
#: A value that no enumeration of the schema has.
_UNKNOWN_VALUE = 200


class Receiver(Protocol):
    """What is needed of a session."""

    def send(self, message: Message) -> None:
        """Queues a message."""


Delivery = tuple[Receiver, Message]


class StreamFaults:
    """Sends messages, and does to them what is armed. One strike is one message, however many listen."""

    def __init__(self, faults: FaultRegistry):
        self._faults = faults
        self._held: dict[str, list[Delivery]] = {}
        self._late: dict[str, list[Delivery]] = {}

    @property
    def idle(self) -> bool:
        """Whether messages may be sent directly."""
        return not (self._faults.armed or self._held or self._late)

    def send(self, channel: str, deliveries: Sequence[Delivery], *, is_first: bool = False) -> None:
        """Sends one message of `channel`, as encoded for each listener, or what the faults make of it.

        The first message after subscribing (`is_first`) is no update whose number could be missing.
        """
        held = self._held.pop(channel, [])
        batch = list(deliveries)
        if self._is_lost(channel, is_first):
            batch = []
        elif not held and self._strike(FaultKind.STREAM_REORDER, channel):
            self._held[channel] = batch
            return
        else:
            batch = self._spoiled(channel, batch)
        self._deliver(channel, [*batch, *held])

    def _is_lost(self, channel: str, is_first: bool) -> bool:
        if self._strike(FaultKind.FREEZE_STREAM, channel) or self._strike(FaultKind.STREAM_LOSE, channel):
            return True
        if is_first or not _is_delta(channel):
            return False
        return self._faults.strike(FaultKind.BOOK_GAP, _of_market(channel)) is not None

    def _spoiled(self, channel: str, batch: list[Delivery]) -> list[Delivery]:
        enum = self._strike(FaultKind.UNKNOWN_ENUM, channel)
        if enum is not None:
            batch = [(receiver, _with_unknown_enum(message, enum)) for receiver, message in batch]
        cut = self._strike(FaultKind.FRAME_CUT, channel)
        if cut is not None:
            batch = [(receiver, message[: cut["bytes"]]) for receiver, message in batch]
        if self._strike(FaultKind.STREAM_DUPLICATE, channel):
            batch = [*batch, *batch]
        if self._strike(FaultKind.FRAME_UNKNOWN, channel):
            unknown = _HEADER.pack(8, _UNKNOWN_TEMPLATE, 1, 2) + bytes(8)
            batch = [*((receiver, unknown) for receiver, _ in batch), *batch]
        return batch

    def _deliver(self, channel: str, batch: list[Delivery]) -> None:
        delay = self._strike(FaultKind.STREAM_DELAY, channel)
        if channel in self._late:
            self._late[channel] += batch  # what follows a late message waits for it
        elif delay is not None:
            self._late[channel] = batch
            asyncio.get_running_loop().call_later(delay["delay_ms"] / 1000, self._release, channel)
        else:
            _send_all(batch)

    def _release(self, channel: str) -> None:
        _send_all(self._late.pop(channel))

    def _strike(self, kind: FaultKind, channel: str) -> Fault | None:
        return self._faults.strike(kind, _of_channel(channel, kind))


def _is_delta(channel: str) -> bool:
    return channel.startswith("order_book.") and ".deltas@" in channel


def _of_channel(channel: str, kind: FaultKind) -> Callable[[Fault], bool]:
    def applies(fault: Fault) -> bool:
        # An unknown_enum that names a path and no channel is for REST alone.
        if kind is FaultKind.UNKNOWN_ENUM and fault["path"] and not fault["channel"]:
            return False
        return channel.startswith(fault["channel"])

    return applies


def _of_market(channel: str) -> Callable[[Fault], bool]:
    return lambda fault: channel.startswith(f"order_book.{fault['market']}")


def _with_unknown_enum(message: Message, fault: Fault) -> Message:
    if isinstance(message, str):
        return json.dumps(replace_field(json.loads(message), fault["field"], fault["value"]), separators=(",", ":"))
    block_length, template, _, _ = _HEADER.unpack_from(message)
    offsets = ENUM_OFFSETS.get(template)
    if offsets is None:
        return message
    offset = offsets.get(fault["field"], next(iter(offsets.values())))
    if offset >= block_length:
        return message  # the client's version does not have the field yet
    offset += _HEADER.size
    return message[:offset] + bytes([_UNKNOWN_VALUE]) + message[offset + 1 :]


def _send_all(batch: Sequence[Delivery]) -> None:
    for receiver, message in batch:
        receiver.send(message)
