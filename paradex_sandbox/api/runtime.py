"""The driver: gives the exchange time and lets its events out."""

import asyncio
import time
from contextlib import suppress

from paradex_sandbox.api.clock import SandboxClock
from paradex_sandbox.api.hub import Hub
from paradex_sandbox.api.transfers import TransferLog
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.faults import FaultKind, FaultRegistry
from paradex_sandbox.liquidity import SyntheticTraders
from paradex_sandbox.replay import Replay
from paradex_sandbox.storage import Storage

#: How often the other traders act, in µs of the sandbox's time.
TICK_US = 100_000
#: A step of the clock is lived through in ticks, in longer ones where it is a long step.
_STEP_TICKS = ((60_000_000, TICK_US), (3_600_000_000, 1_000_000))
_LONGEST_TICK_US = 10_000_000
#: Ticks of a step between which other tasks get their turn.
_TICKS_PER_TURN = 5
#: A step goes on when no client has more unsent messages than this, or when it has waited so long in all.
_CALM_BACKLOG = 100
_PATIENCE_S = 5.0


class Runtime:
    """One running exchange: core, other traders, storage, clock, faults and the hub that publishes.

    The rule that everything else relies on: whoever changes the exchange calls `commit` (or `commit` and `wake`) before
    it awaits anything, so that what is answered is stored, and what is published is in order.
    """

    def __init__(
        self,
        exchange: Exchange,
        traders: SyntheticTraders | Replay | None,
        clock: SandboxClock,
        *,
        storage: Storage | None = None,
        private_binary: bool = False,
    ):
        self.exchange = exchange
        self.clock = clock
        self.faults = FaultRegistry(clock.now_us)
        self.hub = Hub(exchange, clock.now_us, self.faults, private_binary=private_binary)
        self.transfers = TransferLog(storage)
        self._traders = traders
        self.storage = storage
        self._tasks: list[asyncio.Task[None]] = []
        self._woken = False
        self._stepping = asyncio.Lock()

    async def start(self) -> None:
        """Starts the ticks and the order book feeds."""
        self._tick()
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self.hub.run())]

    async def failure(self) -> None:
        """Waits for as long as all goes well; raises what made the exchange or a feed fail."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Stops both and closes the storage."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        self.commit()
        if self.storage is not None:
            self.storage.close()

    def wall_us(self) -> int:
        """The time that clients are told and judged by: the clock's, unless a fault shifts it."""
        fault = self.faults.find(FaultKind.CLOCK_SHIFT)
        return self.clock.now_us() + (0 if fault is None else fault["ms"] * 1000)

    def sync(self) -> None:
        """Brings the exchange's time up to the clock's, before a request that depends on it."""
        self.exchange.advance(self.clock.now_us())

    def commit(self) -> None:
        """Stores what happened, then publishes it."""
        events = self.exchange.drain_events()
        if events:
            transfers = self.transfers.record(events)
            if self.storage is not None:
                values = self.transfers.rows(transfers)
                if isinstance(self._traders, Replay):
                    values |= self._traders.position()
                self.storage.write(self.exchange, events, values)
            self.hub.publish(events)
            self.hub.publish_transfers(transfers)

    def wake(self) -> None:
        """Lets the exchange work off its queue soon: after the answer that is being given has been written."""
        if not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._process)

    async def step(self, us: int) -> None:
        """Moves the clock ahead and lives through the time: the traders trade, funding accrues, orders match."""
        async with self._stepping:
            tick = next((tick for limit, tick in _STEP_TICKS if us <= limit), _LONGEST_TICK_US)
            deadline = time.monotonic() + _PATIENCE_S
            turns = 0
            while us > 0:
                stride = min(tick, us)
                us -= stride
                self.clock.advance(stride)
                self._tick()
                turns += 1
                if turns % _TICKS_PER_TURN == 0:
                    self.hub.flush_books()
                    await asyncio.sleep(0)
                    # Clients that read are not to be cut because the clock runs a thousand times faster than they can.
                    while self.hub.backlog() > _CALM_BACKLOG and time.monotonic() < deadline:  # noqa: ASYNC110
                        await asyncio.sleep(0.001)
            self.hub.flush_books()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK_US / 1_000_000)
            if not self.clock.frozen and not self._stepping.locked():
                self._tick()

    def _tick(self) -> None:
        now = self.clock.now_us()
        self.exchange.advance(now)
        if self._traders is not None:
            self._traders.step(now)
        self.exchange.process()
        self.commit()

    def _process(self) -> None:
        self._woken = False
        self.sync()
        self.exchange.process()
        self.commit()
