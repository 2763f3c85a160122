"""The system's status and the scripted release window (docs: trading/maintenance-mode)."""

from paradex_sandbox.exchange.events import ReleaseScheduled, SystemStatusChanged
from paradex_sandbox.exchange.matching import MatchingEngine
from paradex_sandbox.exchange.model import ReleaseStep, SystemStatus
from paradex_sandbox.exchange.state import ExchangeState, MarketState

#: How long a release takes in each of its two states.
CANCEL_ONLY_US = POST_ONLY_US = 120 * 1_000_000
#: States in which nothing may rest further than 5 bps from the external fair price.
_PROTECTED = (SystemStatus.CANCEL_ONLY, SystemStatus.POST_ONLY)


class SystemControl:
    """Moves the system from one status to the next and does what comes with each."""

    def __init__(self, state: ExchangeState, engine: MatchingEngine) -> None:
        self._state = state
        self._engine = engine

    def set(self, status: SystemStatus) -> None:
        """Takes on a status now; what remained of a release window is dropped."""
        if self._state.release:
            self._schedule(())
        self._enter(status)

    def schedule(self, at: int, cancel_only_us: int, post_only_us: int) -> None:
        """From `at`: cancel_only, then post_only, then ok."""
        self._schedule(
            (
                ReleaseStep(at, SystemStatus.CANCEL_ONLY),
                ReleaseStep(at + cancel_only_us, SystemStatus.POST_ONLY),
                ReleaseStep(at + cancel_only_us + post_only_us, SystemStatus.OK),
            )
        )
        self.tick()

    def _schedule(self, steps: tuple[ReleaseStep, ...]) -> None:
        state = self._state
        state.release = steps
        state.events.append(ReleaseScheduled(state.now, steps))

    def tick(self) -> None:
        """Takes the steps of the release window whose time has come."""
        state = self._state
        while state.release and state.release[0].at <= state.now:
            step, *rest = state.release
            self._schedule(tuple(rest))
            self._enter(step.status)

    def mark_moved(self, market: MarketState) -> None:
        """Triggers what the new mark reaches, or keeps the protected book near the fair price."""
        if self._state.status in _PROTECTED:
            self._engine.protect_fair_price(market)
        else:
            self._engine.trigger(market)

    def _enter(self, status: SystemStatus) -> None:
        state = self._state
        if status is state.status:
            return
        state.status = status
        state.events.append(SystemStatusChanged(state.now, status))
        for market in state.markets.values():
            self.mark_moved(market)
