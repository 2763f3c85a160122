"""The private socket: what it tells (orders, fills, positions, account, balance events, funding payments, trade busts)
and the orders that go over it, or over REST where it does not stand.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import (
    READ_ONLY,
    ParadexAuthenticationError,
    ParadexPerpetualAuth,
)
from hummingbot.core.api_throttler.async_throttler_base import AsyncThrottlerBase
from hummingbot.core.data_type.user_stream_tracker_data_source import UserStreamTrackerDataSource
from hummingbot.core.web_assistant.connections.data_types import RESTMethod
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory

if TYPE_CHECKING:
    from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import (
        ParadexPerpetualDerivative,
    )


class ParadexPerpetualUserStreamDataSource(UserStreamTrackerDataSource):
    """Puts `{"channel": ..., "data": ...}` into the output queue, whether the exchange sent it as JSON or as a binary
    frame, and `{"channel": STREAM_RESUMED}` whenever the stream (re)starts.

    :param cancel_on_disconnect: whether the exchange is to cancel the orders made over a socket when that one drops
    """

    def __init__(
        self,
        trading_pairs: list[str],
        connector: "ParadexPerpetualDerivative",
        api_factory: WebAssistantsFactory,
        domain: str = CONSTANTS.DEFAULT_DOMAIN,
        cancel_on_disconnect: bool = False,
    ):
        super().__init__()
        self._trading_pairs = trading_pairs
        self._connector = connector
        self._api_factory = api_factory
        self._domain = domain
        self._cancel_on_disconnect = cancel_on_disconnect
        self._cancel_on_disconnect_refused = False
        self._refused_channels: set[str] = set()  # by the last connection that asked for them
        self._session: web_utils.RpcSession | None = None
        self._warn_of_interruptions = web_utils.Sparingly(self.logger().warning)
        self._warn_of_frames = web_utils.Sparingly(self.logger().warning)

    @property
    def session(self) -> web_utils.RpcSession | None:
        """The socket, authenticated and subscribed; None while there is none."""
        return self._session if self._session is not None and self._session.is_open else None

    async def listen_for_user_stream(self, output: asyncio.Queue[Any]) -> None:
        """Keeps the private socket open: connects, authenticates, subscribes, and starts again after pauses that grow.

        :param output: gets the events
        """
        backoff = web_utils.Backoff()
        refused = False
        while True:
            session: web_utils.RpcSession | None = None
            arming: asyncio.Task[None] | None = None
            try:
                async with web_utils.RpcSession(
                    self._api_factory,
                    self._domain,
                    partial(self._on_message, output),
                    authenticate=True,
                ) as session:
                    await self._subscribe_all(session)
                    if self._cancel_on_disconnect and not await self._arm(session):
                        arming = asyncio.create_task(self._arm_later(session))
                    self._session = session
                    self._ws_assistant = session.assistant  # from now on the framework sees a stream
                    output.put_nowait({"channel": CONSTANTS.STREAM_RESUMED, "data": {}})
                    refused = False
                    await session.closed()
            except ParadexAuthenticationError as error:
                if not refused:  # said once: it will not change by itself
                    self.logger().error(f"The private stream of {self._domain} is not authenticated. {error}")
                refused = True
            except (ConnectionError, web_utils.ParadexError) as error:
                self._warn_of_interruptions(
                    f"The private stream of {self._domain} was interrupted ({error}). Reconnecting."
                )
            except Exception:
                self.logger().exception("Unexpected error in the private stream. Reconnecting.")
            finally:
                if arming is not None:
                    arming.cancel()
                if self._session is session:  # else a listener that was started meanwhile has its own
                    self._session = self._ws_assistant = None
            backoff.stood(session)
            await self._sleep(backoff.next())

    async def subscribe_to_trading_pair(self, trading_pair: str) -> None:
        """Adds the one private channel that exists only market by market, for a pair added while running.

        :raises web_utils.ParadexError: if the exchange refuses or does not acknowledge
        """
        if self._session is not None:
            await self._session.subscribe(await self._funding_payments_channel(trading_pair))

    async def unsubscribe_from_trading_pair(self, trading_pair: str) -> None:
        """The opposite of :meth:`subscribe_to_trading_pair`."""
        if self._session is not None:
            await self._session.unsubscribe(await self._funding_payments_channel(trading_pair))

    async def _subscribe_all(self, session: web_utils.RpcSession) -> None:
        results = await asyncio.gather(
            *(self._subscribe(session, channel) for channel in CONSTANTS.PRIVATE_CHANNELS),
            self._subscribe_to_freezes(session),
            *(self._subscribe_to_funding_payments(session, pair) for pair in self._trading_pairs),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        self.logger().info("Subscribed to the private order, fill, position and account channels.")

    async def _subscribe(self, session: web_utils.RpcSession, channel: str) -> None:
        """Subscribes to a channel. What is refused on a second connection, too, as the payments of a market that is
        not listed any more, must not keep orders and fills from being followed."""
        try:
            await session.subscribe(channel)
        except web_utils.RpcError as error:
            if channel in CONSTANTS.INDISPENSABLE_CHANNELS or channel not in self._refused_channels:
                self._refused_channels.add(channel)
                raise
            self.logger().error(f"The private stream goes on without {channel}: {error}")
        else:
            self._refused_channels.discard(channel)

    async def _subscribe_to_freezes(self, session: web_utils.RpcSession) -> None:
        try:
            await session.subscribe(CONSTANTS.MMP_CHANNEL)
        except web_utils.RpcError as error:
            self.logger().debug(f"Freezes of market-maker protection are learned from the orders: {error}")

    async def _subscribe_to_funding_payments(self, session: web_utils.RpcSession, trading_pair: str) -> None:
        try:
            channel = await self._funding_payments_channel(trading_pair)
        except ValueError as error:
            # The pair is wrong; the rest of the account is to be followed all the same.
            self.logger().error(f"No funding payments for {trading_pair}: {error}")
        else:
            await self._subscribe(session, channel)

    async def _arm(self, session: web_utils.RpcSession) -> bool:
        """Asks for cancel on disconnect, which is the connection's and gone with it.

        :return: whether the exchange has granted or refused it; else it is to be asked again
        """
        try:
            await session.call("order.cancel_on_disconnect", {"enabled": True})
        except web_utils.RpcError as error:
            if error.code not in CONSTANTS.RPC_REFUSALS:  # as of a rate limit
                self.logger().warning(f"Cancel on disconnect is not granted yet, so no orders are placed. {error}.")
                return False
            if not self._cancel_on_disconnect_refused:  # said once: the next connection will hear the same
                self.logger().error(
                    f"Cancel on disconnect is set, but Paradex does not grant it, so no orders are placed. {error}. "
                    "Switch cancel_on_disconnect off to trade without it."
                )
            self._cancel_on_disconnect_refused = True
        else:
            session.cancels_on_disconnect = True
            self._cancel_on_disconnect_refused = False
        return True

    async def _arm_later(self, session: web_utils.RpcSession) -> None:
        backoff = web_utils.Backoff()
        while session.is_open:
            await self._sleep(backoff.next())
            try:
                if await self._arm(session):
                    return
            except (ConnectionError, web_utils.ParadexError) as error:
                self.logger().debug(f"Cancel on disconnect could not be asked for: {error}")

    async def _funding_payments_channel(self, trading_pair: str) -> str:
        market = await self._connector.exchange_symbol_associated_to_pair(trading_pair)
        return CONSTANTS.FUNDING_PAYMENTS_CHANNEL.format(market=market)

    def _on_message(self, output: asyncio.Queue[Any], message: Any) -> None:
        if isinstance(message, str):
            self._warn_of_frames("A text of the private socket is no JSON; asking REST.")
            event: Any = {"channel": CONSTANTS.STREAM_RESUMED, "data": {}}
        elif isinstance(message, bytes):
            try:
                event = web_utils.decode_frame(message)
            except web_utils.FrameError as error:
                # An order or a fill may have been in it: REST knows.
                self._warn_of_frames(f"A message of the private stream could not be read ({error}); asking REST.")
                event = {"channel": CONSTANTS.STREAM_RESUMED, "data": {}}
        else:
            event = message.get("params") if isinstance(message, dict) else None
        if isinstance(event, dict) and "channel" in event:
            output.put_nowait(event)


# === Order entry ===

_STOPPED = "the connector was stopped before it was sent"
_UNCOVERED = "cancel on disconnect is set, and there is no socket now that Paradex would watch"


class WithdrawnError(web_utils.NotSentError):
    """An order was cancelled before it was sent."""


@dataclass(eq=False)
class _Job:
    """One order, or one cancel, that waits to be sent, and what becomes of it."""

    client_id: str
    body: Mapping[str, Any]
    outcome: "asyncio.Future[Any]"
    give_up_at: float | None = None  # after a rate limit has refused it

    def fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)

    def resolve(self, result: Any) -> None:
        if isinstance(result, Exception):
            self.fail(result)
        elif not self.outcome.done():
            self.outcome.set_result(result)


class _Lane:
    """Orders on their way out, in their order; those that wait at the same time leave together, as one request.

    :param admit: waits for the rate limiter; once for each request, whatever it carries
    :param prepare: makes jobs ready to be sent, one request after the other, e.g. signs them
    :param send: sends what was prepared and returns a result or an exception for each job; requests do not wait for
        each other's answers
    :param size: how many jobs a request may carry now
    :param way: of a job's body; only jobs of the same way leave together
    :param patience: seconds for which a job is tried again after a rate limit has refused it
    :ivar stops: how often it was stopped
    """

    def __init__(
        self,
        admit: Callable[[], Awaitable[None]],
        prepare: Callable[[Sequence[_Job]], Awaitable[Any]],
        send: Callable[[Sequence[_Job], Any], Awaitable[Sequence[Any]]],
        size: Callable[[], int],
        way: Callable[[Mapping[str, Any]], object],
        patience: float,
        sleep: Callable[[float], Awaitable[None]],
        time: Callable[[], float],
    ):
        self._admit, self._prepare, self._send = admit, prepare, send
        self._size, self._way, self._patience, self._sleep, self._time = size, way, patience, sleep, time
        self._waiting: list[_Job] = []
        self._unsent: dict[str, _Job] = {}
        self._dispatcher: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._retry_at = 0.0
        self.stops = 0

    async def run(self, client_id: str, body: Mapping[str, Any]) -> Any:
        """:return: what `send` returned for this job; raises it, if it is an exception"""
        job = _Job(client_id, body, asyncio.get_running_loop().create_future())
        self._unsent[client_id] = job
        self._enqueue([job])
        try:
            return await job.outcome
        finally:
            self._unsent.pop(client_id, None)

    def withdraw(self, client_id: str) -> bool:
        """Takes back a job that has not been sent. :return: whether that was so"""
        job = self._unsent.get(client_id)
        if job is None:
            return False
        job.fail(WithdrawnError(f"{client_id} was cancelled before it was sent"))
        return True

    def unsent(self) -> list[_Job]:
        return list(self._unsent.values())

    def stop(self) -> None:
        """Ends the waiting; what has been sent is followed to its end, and not sent again if a limit refused it."""
        self.stops += 1
        if self._dispatcher is not None:
            self._dispatcher.cancel()
            self._dispatcher = None
        self._waiting.clear()
        for job in self.unsent():
            job.fail(web_utils.NotSentError(_STOPPED))

    def _enqueue(self, jobs: Sequence[_Job]) -> None:
        self._waiting.extend(jobs)
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = asyncio.create_task(self._dispatch())

    async def _dispatch(self) -> None:
        while any(not job.outcome.done() for job in self._waiting):
            jobs: list[_Job] = []
            try:
                if (pause := self._retry_at - self._time()) > 0:
                    await self._sleep(min(pause, self._patience))
                await self._admit()
                jobs = self._take()
                prepared = await self._prepare(jobs) if jobs else None
            except Exception as error:  # whatever it is, nobody may wait for ever
                for job in jobs or self._waiting:
                    job.fail(error)
                continue
            if jobs:
                # Begun at once: what is signed is written before anything else runs, and in its order.
                task = asyncio.Task(self._carry(jobs, prepared), loop=asyncio.get_running_loop(), eager_start=True)
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

    def _take(self) -> list[_Job]:
        self._waiting = [job for job in self._waiting if not job.outcome.done()]
        if not self._waiting:
            return []
        way = self._way(self._waiting[0].body)
        jobs = [job for job in self._waiting if self._way(job.body) == way][: self._size()]
        self._waiting = [job for job in self._waiting if job not in jobs]
        return jobs

    async def _carry(self, jobs: Sequence[_Job], prepared: Any) -> None:
        stops = self.stops
        try:
            results = await self._send(jobs, prepared)
        except web_utils.RateLimitedError as error:
            if self.stops == stops:
                self._try_again(jobs, error)
            else:
                self._fail(jobs, error)
        except web_utils.ParadexError as error:
            self._fail(jobs, error)
        except Exception as error:  # something that nobody foresaw, after it may have left: not known, then
            self._fail(jobs, web_utils.NoAnswerError(f"an answer makes no sense: {type(error).__name__} {error}"))
        else:
            for job, result in zip(jobs, results, strict=True):
                job.resolve(result)

    @staticmethod
    def _fail(jobs: Sequence[_Job], error: Exception) -> None:
        for job in jobs:
            job.fail(error)

    def sent(self, jobs: Sequence[_Job]) -> None:
        """Says that jobs are about to leave: from now on they cannot be withdrawn."""
        for job in jobs:
            self._unsent.pop(job.client_id, None)

    def _try_again(self, jobs: Sequence[_Job], error: web_utils.RateLimitedError) -> None:
        """A rate limit refused a request: nothing has happened, and it is sent again when the limit allows it."""
        now = self._time()
        self._retry_at = max(self._retry_at, now + error.retry_after)
        again = []
        for job in jobs:
            if job.give_up_at is None:
                job.give_up_at = now + self._patience
            if job.outcome.done() or self._retry_at > job.give_up_at:
                job.fail(error)
            else:
                self._unsent[job.client_id] = job
                again.append(job)
        waiting, self._waiting = self._waiting, []
        if again or waiting:
            self._enqueue([*again, *waiting])


class OrderEntry:
    """The way of orders to the exchange: over the socket if that is wanted and it stands, else over REST.

    What is asked for at the same time leaves as one batch. Whatever the way, an error is an `ApiError` (refused:
    nothing has happened), a `NotSentError` (nothing has left) or a `NoAnswerError` (unknown: look for it). Nothing that
    may have arrived is sent a second time, but for cancels, of which a second one does no harm.

    It lives beside the private stream because it shares its socket: updates come in order with the answers, and cancel
    on disconnect covers just the orders that were made there.

    :param session: the socket of the private stream, None while there is none
    :param settings: decide about the way, the batches and the circuit breaker
    :param throttler: the connector's rate limiter
    :param auth: signs the orders
    :param time: the exchange's time in seconds since the epoch
    :param sleep: waits, in seconds
    :param resynchronize: measures the exchange's time anew, when it says that a signature's time is wrong
    :param probe: asks the exchange a question that changes nothing; raises a ParadexError if all is not well
    :param log: told, in a sentence each, the changes of the exchange's state and of the circuit breaker
    :param monotonic: seconds of a clock that is never set, for all that waits; the exchange's may be
    """

    def __init__(
        self,
        api_factory: WebAssistantsFactory,
        domain: str,
        session: Callable[[], web_utils.RpcSession | None],
        settings: utils.Settings,
        throttler: AsyncThrottlerBase,
        auth: ParadexPerpetualAuth,
        time: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        resynchronize: Callable[[], Awaitable[None]],
        probe: Callable[[], Awaitable[None]],
        log: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self._api_factory, self._domain, self._session, self._settings = api_factory, domain, session, settings
        self._throttler, self._auth, self._time, self._sleep = throttler, auth, time, sleep
        self._resynchronize, self._probe, self._log, self._monotonic = resynchronize, probe, log, monotonic
        self._batch_size = self._cancel_batch_size = settings.batch_size
        if settings.order_class == CONSTANTS.ORDER_CLASS_RETAIL:
            self._batch_size = 1  # the limits of Retail count orders, not requests
        self._patience = min(settings.recv_window, CONSTANTS.RECV_WINDOW_MS) * 1e-3  # with rate limits, in seconds
        self._probing: asyncio.Task[None] | None = None
        self._failed_session: web_utils.RpcSession | None = None
        self._told_session: web_utils.RpcSession | None = None  # of which it was said that it is of no use for orders
        self._clock_set: asyncio.Task[None] | None = None
        self.system_state = CONSTANTS.SYSTEM_OK
        self.breaker = web_utils.CircuitBreaker(
            failures=settings.breaker_failures,
            window=float(settings.breaker_window),
            pause=float(settings.breaker_pause),
            time=lambda: self._monotonic(),
            on_change=log,
        )
        self._submits = _Lane(
            partial(self._admit, CONSTANTS.SUBMIT_LIMIT),
            self._sign_jobs,
            self._send_orders,
            lambda: self._batch_size,
            self._is_for_socket,
            self._patience,
            sleep,
            lambda: self._monotonic(),
        )
        self._cancels: list[_Job] = []  # that are about to leave

    # === What can be asked for ===

    async def submit(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """`POST /orders`, `POST /orders/batch`, `order.create` or `order.create_batch`.

        :param request: the body of an order, without its signature
        :return: the order, as the exchange has taken it
        :raises WithdrawnError: if it was withdrawn before it left
        """
        self._require_key()
        self._require_open(request)
        return await self._submits.run(request["client_id"], request)

    def withdraw(self, client_id: str) -> bool:
        """Takes back an order that has not left yet. :return: whether that was so; then :meth:`submit` raises"""
        return self._submits.withdraw(client_id)

    def withdraw_all(self, market: str | None = None) -> None:
        """:meth:`withdraw`, for all orders or all of a market."""
        for job in self._submits.unsent():
            if market in (None, job.body["market"]):
                self._submits.withdraw(job.client_id)

    async def modify(self, request: Mapping[str, Any], reduces: bool = False) -> Mapping[str, Any]:
        """`PUT /orders/{id}` or `order.modify`.

        :param request: the whole order as it is to be, with its exchange `id`, without its signature
        :param reduces: whether less is at risk afterwards; then an open circuit breaker does not stop it
        :return: the order, with the change pending
        """
        self._require_key()
        if not reduces:
            self._require_open({**request, "instruction": request.get("instruction", "POST_ONLY")}, creates=False)
        await self._admit(CONSTANTS.SUBMIT_LIMIT)
        for attempt in range(2):
            (body,) = await self._signed([request])
            by_rest = partial(self._modify_by_rest, body)
            try:
                if not self._is_for_socket(body):
                    return await self._watched(by_rest())
                return await self._either_way("order.modify", _with_price(body), by_rest, "order")
            except web_utils.ApiError as error:
                if attempt or error.code not in CONSTANTS.TIMESTAMP_ERRORS:
                    raise
                await self._set_clock()
        raise AssertionError("unreachable: the second attempt returns or raises")

    async def cancel(self, client_id: str, market: str, exchange_order_id: str | None = None) -> None:
        """`DELETE /orders/by_client_id/{id}`, `DELETE /orders/batch`, `order.cancel` or `order.cancel_batch`: queued.

        :param exchange_order_id: makes the batch over the socket possible
        """
        self._require_key()
        cancel = {"client_id": client_id, "market": market, "id": exchange_order_id}
        job = _Job(client_id, cancel, asyncio.get_running_loop().create_future())
        self._cancels.append(job)
        try:
            await asyncio.sleep(0)  # what is asked for at the same time joins it
        finally:
            is_first = job in self._cancels
            if is_first:
                self._cancels.remove(job)
        if not is_first:  # one that came before has taken it along
            await job.outcome
            return
        others = self._cancel_batch_size - 1
        jobs, self._cancels = [job, *self._cancels[:others]], self._cancels[others:]
        outcomes: Sequence[Any] = [web_utils.NoAnswerError("a cancel was given up before it was answered")] * len(jobs)
        try:
            outcomes = await self._cancel_together(jobs)
        except web_utils.ParadexError as error:
            outcomes = [error] * len(jobs)
        except Exception as error:  # something that nobody foresaw, after it may have left: not known, then
            text = f"the answer to a cancel makes no sense: {type(error).__name__} {error}"
            outcomes = [web_utils.NoAnswerError(text)] * len(jobs)
        finally:
            for other, outcome in zip(jobs[1:], outcomes[1:], strict=True):
                other.resolve(outcome)
        if outcomes[0] is not None:
            raise outcomes[0]

    async def cancel_all(self, market: str | None = None) -> None:
        """`DELETE /orders` or `order.cancel_all`: every order of a market, or of the account, is queued."""
        self._require_key()
        await self._admit(CONSTANTS.CANCEL_LIMIT)
        params = {"market": market} if market else {}
        by_rest = partial(self._rest, RESTMethod.DELETE, CONSTANTS.ORDERS_PATH, params=params)
        await self._either_way("order.cancel_all", params, by_rest, repeatable=True)

    def observe_system_state(self, state: str) -> None:
        """:param state: of `GET /system/state`, or as a refused order told it"""
        if state != self.system_state:
            self.system_state = state
            self._log(f"Paradex is in the state {state}: {utils.system_state_consequence(state)}.")

    def observe_rejection(self, reason: str) -> None:
        """:param reason: the `cancel_reason` of an order that was taken and then rejected"""
        if reason in CONSTANTS.SYSTEM_STATE_ERRORS:
            self.observe_system_state(CONSTANTS.SYSTEM_STATE_ERRORS[reason])
        if reason.startswith(CONSTANTS.EXCHANGE_FAILURE_REASONS):
            self._record_failure(f"an order was rejected: {reason}")

    def start(self) -> None:
        """Goes on where :meth:`stop` ended."""
        self._probe_while_open()

    def stop(self) -> None:
        """Leaves nothing waiting: what has not been sent fails. What has been sent is followed to its end."""
        self._submits.stop()
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None

    # === Whether ===

    def _require_key(self) -> None:
        if self._auth.is_read_only:
            raise web_utils.NotSentError(READ_ONLY)

    def _require_open(self, request: Mapping[str, Any], creates: bool = True) -> None:
        """Raises a NotSentError where an order is not to be sent.

        One that only reduces a position lowers the risk: neither the breaker nor a missing cancel on disconnect keeps
        it back, only the exchange itself.
        """
        text = utils.system_state_refusal(self.system_state, request["instruction"])
        if text is None and not _only_reduces(request):
            text = self.breaker.refusal
            if text is None and creates and self._settings.cancel_on_disconnect and not self._covering_session():
                text = _UNCOVERED
        if text is not None:
            raise web_utils.NotSentError(f"not sent: {text}")

    def _covering_session(self) -> web_utils.RpcSession | None:
        """The socket whose orders the exchange cancels when it drops; None while there is none."""
        session = self._session()
        return session if session is not None and session.cancels_on_disconnect else None

    def _record_failure(self, reason: str) -> None:
        self.breaker.record_failure(reason)
        self._probe_while_open()

    def _probe_while_open(self) -> None:
        if self.breaker.refusal and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._probe_until_closed())

    async def _probe_until_closed(self) -> None:
        while self.breaker.refusal:
            await self._sleep(self.breaker.time_to_probe)
            try:
                await self._probe()
            except Exception:  # whatever it is, all is not well; nobody else asks
                self.breaker.probe_failed()
            else:
                self.breaker.probe_succeeded()

    async def _watched(
        self, answer: Awaitable[Any], session: web_utils.RpcSession | None = None, creates: bool = False
    ) -> Any:
        """Waits for an answer and tells the circuit breaker of it; only new orders prove that new orders work."""
        try:
            result = await answer
        except web_utils.ApiError:
            if creates:
                self.breaker.record_success()
            raise
        except web_utils.NotSentError as error:
            if session is None:
                self._record_failure(str(error))
            raise  # else REST takes over
        except web_utils.NoAnswerError as error:
            # All that waited on a socket fail when it closes: that is one failure.
            if session is None or session.is_open or session is not self._failed_session:
                self._record_failure(str(error))
            if session is not None and not session.is_open:
                self._failed_session = session
            raise
        if creates:
            self.breaker.record_success()
        return result

    # === How ===

    def _is_for_socket(self, body: Mapping[str, Any]) -> bool:
        """Whether an order may go over the socket.

        Its description knows no take-profits and stop-losses. They only reduce a position: that cancel on disconnect
        does not cover what goes over REST is to the good there, and so it is for stops that only reduce.
        """
        protects = "trigger_price" in body and _only_reduces(body)
        return body["type"] in CONSTANTS.SOCKET_ORDER_TYPES and not (protects and self._settings.cancel_on_disconnect)

    async def _admit(self, limit_id: str) -> None:
        async with self._throttler.execute_task(limit_id):
            pass

    async def _either_way(
        self,
        method: str,
        params: Mapping[str, Any],
        by_rest: Callable[[], Awaitable[Any]],
        result: str | None = None,
        repeatable: bool = False,
        creates: bool = False,
        needs_cover: bool = False,
    ) -> Any:
        """One request, over the socket if that is wanted and it stands, else over REST.

        :param result: the part of the socket's answer that REST answers with
        :param repeatable: whether REST may repeat what the socket did not answer
        :param creates: whether it makes orders
        :param needs_cover: whether it is to be sent only where cancel on disconnect covers it
        """
        session = self._session() if self._settings.orders_use_socket else None
        if needs_cover and (session := self._covering_session()) is None:
            raise web_utils.NotSentError(f"not sent: {_UNCOVERED}")
        if session is not None:
            try:
                answer = await self._watched(session.request(method, params), session, creates)
                return answer if result is None else _part(answer, result, method)
            except web_utils.NotSentError as error:
                if needs_cover:
                    raise
                if session.is_open and session is not self._told_session:
                    self._told_session = session
                    self._log(f"{error}. REST is used instead.")
            except web_utils.RateLimitedError as error:
                if isinstance(self._throttler, web_utils.TokenBucketThrottler):  # REST's answers tell it by themselves
                    self._throttler.refused(CONSTANTS.ADMITTED_LIMIT, error.retry_after)
                raise
            except web_utils.NoAnswerError:
                if not repeatable:
                    raise
        return await self._watched(by_rest(), creates=creates)

    async def _rest(self, method: RESTMethod, path: str, **arguments: Any) -> Any:
        """A request that the rate limiter has admitted already."""
        return await web_utils.api_request(
            self._api_factory,
            path,
            domain=self._domain,
            method=method,
            is_auth_required=True,
            limit_id=CONSTANTS.ADMITTED_LIMIT,
            **arguments,
        )

    async def _modify_by_rest(self, body: Mapping[str, Any]) -> Any:
        path = CONSTANTS.ORDER_PATH.format(order_id=web_utils.quoted(body["id"]))
        return await self._rest(RESTMethod.PUT, path, data=body)

    async def _set_clock(self) -> None:
        """Measures the exchange's time anew; all who find it wrong at the same time wait for the same measurement."""
        if self._clock_set is None or self._clock_set.done():
            self._clock_set = asyncio.ensure_future(self._resynchronize())
        await asyncio.shield(self._clock_set)

    # === Orders ===

    async def _signed(self, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        # Signed only now: the rate limiter may have held them back for longer than a signature is good for.
        timestamp = int(self._time() * 1e3)
        bodies = [{**request, "signature_timestamp": timestamp} for request in requests]
        for body, signature in zip(bodies, await self._auth.sign_orders(bodies), strict=True):
            body["signature"] = signature
        return bodies

    async def _sign_jobs(self, jobs: Sequence[_Job]) -> list[dict[str, Any]]:
        return await self._signed([job.body for job in jobs])

    async def _send_orders(self, jobs: Sequence[_Job], bodies: Sequence[dict[str, Any]]) -> list[Any]:
        """What became of each order: the exchange's order, or an exception."""
        outcomes: dict[str, Any] = {}
        live = []
        for job, body in zip(jobs, bodies, strict=True):
            try:
                self._require_open(job.body)  # things may have changed while the limiter held it back
            except web_utils.NotSentError as error:
                outcomes[job.client_id] = error
            else:
                if not job.outcome.done():
                    live.append(body)
        self._submits.sent(jobs)
        outcomes.update(zip((body["client_id"] for body in live), await self._create(live), strict=True))
        for outcome in outcomes.values():
            if isinstance(outcome, web_utils.ApiError) and outcome.code in CONSTANTS.SYSTEM_STATE_ERRORS:
                self.observe_system_state(CONSTANTS.SYSTEM_STATE_ERRORS[outcome.code])
        # One that was withdrawn while it was signed has been told so; nobody waits for this.
        return [outcomes.get(job.client_id) for job in jobs]

    async def _create(self, bodies: Sequence[dict[str, Any]], first: bool = True) -> list[Any]:
        if not bodies:
            return []
        try:
            if len(bodies) == 1:
                return [await self._create_one(bodies[0])]
            outcomes = await self._create_batch(bodies)
            late = [number for number, outcome in enumerate(outcomes) if first and _is_timestamp_error(outcome)]
            if late:
                again = await self._create_again([bodies[number] for number in late])
                outcomes = [again.pop(0) if number in late else outcome for number, outcome in enumerate(outcomes)]
            return outcomes
        except web_utils.RateLimitedError:
            raise
        except web_utils.ApiError as error:
            if first and _is_timestamp_error(error):
                return await self._create_again(bodies)
            if len(bodies) == 1 or error.status in (401, 403) or error.code in CONSTANTS.SYSTEM_STATE_ERRORS:
                return [error] * len(bodies)
            return await self._create_apart(bodies, error)
        except web_utils.NotSentError as error:
            return await self._create_uncovered(bodies, error, first)
        except web_utils.ParadexError as error:
            return [error] * len(bodies)

    async def _create_again(self, bodies: Sequence[dict[str, Any]]) -> list[Any]:
        """Signs orders anew that were refused for the time of their signature, and sends them a second time."""
        await self._set_clock()
        requests = [{name: body[name] for name in body if name != "signature"} for body in bodies]
        try:
            return await self._create(await self._signed(requests), first=False)
        except web_utils.RateLimitedError as error:  # not for the lane: others of the batch may have been taken
            return [error] * len(bodies)

    async def _create_apart(self, bodies: Sequence[dict[str, Any]], error: web_utils.ApiError) -> list[Any]:
        """A batch was refused as a whole, perhaps for one of its orders: the others are not to go down with it."""
        size = 1
        if error.code == CONSTANTS.ERROR_BATCH_SIZE and len(bodies) > CONSTANTS.BATCH_SIZE:
            size = self._batch_size = CONSTANTS.BATCH_SIZE
            self._log(f"Paradex takes no batches of {len(bodies)} orders: {size} are sent at a time from now on.")
        outcomes: list[Any] = []
        stops = self._submits.stops
        for start in range(0, len(bodies), size):
            chunk = bodies[start : start + size]
            await self._admit(CONSTANTS.SUBMIT_LIMIT)
            if self._submits.stops != stops:
                outcomes += [web_utils.NotSentError(_STOPPED)] * len(chunk)
                continue
            try:
                outcomes += await self._create(chunk)
            except web_utils.RateLimitedError as limited:  # not for the lane, which would send all of them again
                outcomes += [limited] * len(chunk)
        return outcomes

    async def _create_uncovered(
        self, bodies: Sequence[dict[str, Any]], error: web_utils.NotSentError, first: bool
    ) -> list[Any]:
        """A request did not leave. If the socket that has to cover it is gone, what only reduces goes without."""
        reducing = [body for body in bodies if _only_reduces(body)]
        if not reducing or not self._needs_cover(bodies):
            return [error] * len(bodies)
        outcomes = iter(await self._create(reducing, first))
        return [next(outcomes) if _only_reduces(body) else error for body in bodies]

    def _needs_cover(self, bodies: Iterable[Mapping[str, Any]]) -> bool:
        return self._settings.cancel_on_disconnect and not all(map(_only_reduces, bodies))

    async def _create_one(self, body: dict[str, Any]) -> Any:
        by_rest = partial(self._rest, RESTMethod.POST, CONSTANTS.ORDERS_PATH, data=body)
        try:
            if self._is_for_socket(body):
                cover, params = self._needs_cover([body]), _with_price(body)
                order = await self._either_way(
                    "order.create", params, by_rest, "order", creates=True, needs_cover=cover
                )
            else:
                order = await self._watched(by_rest(), creates=True)
        except web_utils.RateLimitedError:
            raise
        except web_utils.ApiError as error:
            raise _refused_or_known(error) from None
        if not _is_order(order) or not _may_be_of(order, body["client_id"]):
            return web_utils.NoAnswerError("an order was answered without its id")
        return order

    async def _create_batch(self, bodies: Sequence[dict[str, Any]]) -> list[Any]:
        params = {"orders": [_with_price(body) for body in bodies]}
        by_rest = partial(self._rest, RESTMethod.POST, CONSTANTS.ORDERS_BATCH_PATH, data=list(bodies))
        if self._is_for_socket(bodies[0]):
            cover = self._needs_cover(bodies)
            answer = await self._either_way("order.create_batch", params, by_rest, creates=True, needs_cover=cover)
        else:
            answer = await self._watched(by_rest(), creates=True)
        return batch_outcomes([body["client_id"] for body in bodies], answer)

    # === Cancels ===

    async def _cancel_together(self, jobs: Sequence[_Job]) -> list[Any]:
        """None for each cancel that is queued, or an exception."""
        cancels = {job.client_id: job.body for job in jobs}  # one order may be cancelled twice at the same time
        give_up_at = self._monotonic() + self._patience
        while True:
            await self._admit(CONSTANTS.CANCEL_LIMIT)
            try:
                results = await self._send_cancels(list(cancels.values()))
                break
            except web_utils.RateLimitedError as error:
                if self._monotonic() + error.retry_after > give_up_at:
                    raise
                await self._sleep(error.retry_after)
        outcomes = dict(zip(cancels, results, strict=True))
        return [outcomes[job.client_id] for job in jobs]

    async def _send_cancels(self, cancels: Sequence[Mapping[str, Any]]) -> list[Any]:
        if len(cancels) == 1:
            await self._cancel_one(cancels[0])
            return [None]
        try:
            return await self._cancel_batch(cancels)
        except web_utils.RateLimitedError:
            raise
        except web_utils.ApiError as error:
            if error.status in (401, 403):
                raise
            if error.code == CONSTANTS.ERROR_BATCH_SIZE:
                self._cancel_batch_size = min(self._cancel_batch_size, CONSTANTS.BATCH_SIZE)
            return await asyncio.gather(*map(self._cancel_apart, cancels), return_exceptions=True)

    async def _cancel_apart(self, cancel: Mapping[str, Any]) -> None:
        await self._admit(CONSTANTS.CANCEL_LIMIT)
        await self._cancel_one(cancel)

    async def _cancel_one(self, cancel: Mapping[str, Any]) -> None:
        client_id, market = cancel["client_id"], cancel["market"]
        path = CONSTANTS.ORDER_BY_CLIENT_ID_PATH.format(client_id=web_utils.quoted(client_id))
        by_rest = partial(self._rest, RESTMethod.DELETE, path, params={"market": market})
        params = {"client_id": client_id, "market": market}
        await self._either_way("order.cancel", params, by_rest, repeatable=True)

    async def _cancel_batch(self, cancels: Sequence[Mapping[str, Any]]) -> list[Any]:
        order_ids = [cancel["id"] for cancel in cancels if cancel["id"]]
        unknown = [cancel["client_id"] for cancel in cancels if not cancel["id"]]
        body = {name: ids for name, ids in (("order_ids", order_ids), ("client_order_ids", unknown)) if ids}
        by_rest = partial(self._rest, RESTMethod.DELETE, CONSTANTS.ORDERS_BATCH_PATH, data=body)
        if unknown:  # the socket takes the exchange's ids only
            answer = await self._watched(by_rest())
        else:
            answer = await self._either_way("order.cancel_batch", body, by_rest, repeatable=True)
        return cancel_outcomes(cancels, answer)


def _only_reduces(request: Mapping[str, Any]) -> bool:
    return CONSTANTS.FLAG_REDUCE_ONLY in (request.get("flags") or ())


def _part(answer: Any, name: str, method: str) -> Any:
    if not isinstance(answer, dict) or name not in answer:
        raise web_utils.NoAnswerError(f"{method} was answered without {name}")
    return answer[name]


def _with_price(body: Mapping[str, Any]) -> dict[str, Any]:
    """An order for the socket, whose description wants a price of every order: "0" for MARKET, as it is signed."""
    return {"price": "0", **body}


def _is_order(payload: Any) -> bool:
    return isinstance(payload, dict) and isinstance(payload.get("id"), str | int) and bool(payload["id"])


def _may_be_of(order: Mapping[str, Any], client_id: str) -> bool:
    """Whether an order has this client id, or does not say which it has."""
    return order.get("client_id") in (client_id, "", None)


def _is_timestamp_error(outcome: Any) -> bool:
    return isinstance(outcome, web_utils.ApiError) and outcome.code in CONSTANTS.TIMESTAMP_ERRORS


def _refused_or_known(error: web_utils.ParadexError) -> web_utils.ParadexError:
    """An error as it is, except that a client id which is taken says that the order is there already."""
    if isinstance(error, web_utils.ApiError) and error.code == CONSTANTS.ERROR_DUPLICATED_CLIENT_ID:
        return web_utils.NoAnswerError(f"it is there already: {error}")
    return error


def batch_outcomes(client_ids: Sequence[str], answer: Any) -> list[Any]:
    """What a batch's answer says of each order that was in it, in their order.

    REST answers with the orders it took and, apart, the errors of the others; neither says to which they belong, but
    orders carry their client id. An order that is in neither list is unknown. *Assumed*: errors come in the order of
    the request; it decides only about the text that an order fails with. The socket answers for each order in turn; if
    one of them says otherwise, only those count that say whose they are.

    :return: for each order the exchange's payload, or an exception
    """
    request = "the order in a batch"
    unknown = web_utils.NoAnswerError("the answer to a batch does not tell what became of the order")
    if not isinstance(answer, dict):
        return [unknown] * len(client_ids)
    if isinstance(results := answer.get("results"), list):
        if len(results) != len(client_ids):
            return [unknown] * len(client_ids)
        outcomes = [_socket_outcome(result, request) or unknown for result in results]
        pairs = zip(outcomes, client_ids, strict=True)
        if all(_may_be_of(order, client_id) for order, client_id in pairs if isinstance(order, dict)):
            return outcomes
        taken = {order.get("client_id"): order for order in outcomes if isinstance(order, dict)}
        return [taken.get(client_id, unknown) for client_id in client_ids]
    orders = {str(order.get("client_id")): order for order in answer.get("orders") or [] if _is_order(order)}
    errors = [
        web_utils.error_of(str(error.get("error") or "REFUSED"), str(error.get("message") or ""), request)
        for error in answer.get("errors") or []
        if isinstance(error, dict)
    ]
    missing = [client_id for client_id in client_ids if client_id not in orders]
    errors = list(map(_refused_or_known, errors))
    # Whose an error is, is not said: it does not matter if all are refusals, or if there is one.
    is_clear = len(errors) == len(missing) and (
        len(errors) == 1 or all(isinstance(error, web_utils.ApiError) for error in errors)
    )
    refusals = dict(zip(missing, errors, strict=True)) if is_clear else {}
    return [orders.get(client_id) or refusals.get(client_id) or unknown for client_id in client_ids]


def _socket_outcome(result: Any, request: str) -> Any:
    """The order, or the error as a text, of one order in the socket's answer to a batch; None if it is neither."""
    if not isinstance(result, dict):
        return None
    if _is_order(result.get("order")):
        return result["order"]
    if not result.get("error"):
        return None
    text = str(result["error"])
    return _refused_or_known(web_utils.error_from_text(text, text, request))


def cancel_outcomes(cancels: Sequence[Mapping[str, Any]], answer: Any) -> list[Any]:
    """What the answer to a batch of cancels says of each.

    :return: for each None if it is queued, or an exception
    """
    results = answer.get("results") if isinstance(answer, dict) else None
    by_id: dict[str, str] = {}
    for result in results or []:
        by_id.update({result[name]: result.get("status") for name in ("client_id", "id") if result.get(name)})
    outcomes: list[Any] = []
    for cancel in cancels:
        status = by_id.get(cancel["id"] or "") or by_id.get(cancel["client_id"])
        request = f"the cancel of {cancel['client_id']}"
        if status == CONSTANTS.CANCEL_QUEUED:
            outcomes.append(None)
        elif status is None:
            outcomes.append(web_utils.NoAnswerError(f"{request} was not answered"))
        else:
            closed = status == CONSTANTS.CANCEL_ALREADY_CLOSED
            code = CONSTANTS.ERROR_ORDER_IS_CLOSED if closed else CONSTANTS.ERROR_CLIENT_ORDER_ID_NOT_FOUND
            outcomes.append(web_utils.ApiError(400, code, status, request))
    return outcomes
