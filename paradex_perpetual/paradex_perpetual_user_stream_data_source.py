"""The private stream: orders, fills, positions, account, balance events, funding payments and trade busts."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import ParadexAuthenticationError
from hummingbot.core.data_type.user_stream_tracker_data_source import UserStreamTrackerDataSource
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory

if TYPE_CHECKING:
    from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import (
        ParadexPerpetualDerivative,
    )


class ParadexPerpetualUserStreamDataSource(UserStreamTrackerDataSource):
    """Puts `{"channel": ..., "data": ...}` into the output queue, whether the exchange sent it as JSON or as a binary
    frame, and `{"channel": STREAM_RESUMED}` whenever the stream (re)starts.
    """

    def __init__(
        self,
        trading_pairs: list[str],
        connector: "ParadexPerpetualDerivative",
        api_factory: WebAssistantsFactory,
        domain: str = CONSTANTS.DEFAULT_DOMAIN,
    ):
        super().__init__()
        self._trading_pairs = trading_pairs
        self._connector = connector
        self._api_factory = api_factory
        self._domain = domain
        self._session: web_utils.RpcSession | None = None

    async def listen_for_user_stream(self, output: asyncio.Queue[Any]) -> None:
        """Keeps the private socket open: connects, authenticates, subscribes, and starts again after pauses that grow.

        :param output: gets the events
        """
        backoff = web_utils.Backoff()
        refused = False
        while True:
            try:
                async with web_utils.RpcSession(
                    self._api_factory,
                    self._domain,
                    partial(self._on_message, output),
                    authenticate=True,
                ) as session:
                    await self._subscribe_all(session)
                    self._session = session
                    self._ws_assistant = session.assistant  # from now on the framework sees a stream
                    output.put_nowait({"channel": CONSTANTS.STREAM_RESUMED, "data": {}})
                    backoff.reset()
                    refused = False
                    await session.closed()
            except asyncio.CancelledError:
                raise
            except ParadexAuthenticationError as error:
                if not refused:  # said once: it will not change by itself
                    self.logger().error(f"The private stream of {self._domain} is not authenticated. {error}")
                refused = True
            except (ConnectionError, web_utils.ParadexError) as error:
                self.logger().warning(f"The private stream of {self._domain} was interrupted ({error}). Reconnecting.")
            except Exception:
                self.logger().exception("Unexpected error in the private stream. Reconnecting.")
            finally:
                self._session = self._ws_assistant = None
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
        for channel in CONSTANTS.PRIVATE_CHANNELS:
            await session.subscribe(channel)
        try:
            await session.subscribe(CONSTANTS.MMP_CHANNEL)
        except web_utils.RpcError as error:
            self.logger().debug(f"Freezes of market-maker protection are learned from the orders: {error}")
        for trading_pair in list(self._trading_pairs):
            try:
                channel = await self._funding_payments_channel(trading_pair)
            except ValueError as error:
                # The pair is wrong; the rest of the account is to be followed all the same.
                self.logger().error(f"No funding payments for {trading_pair}: {error}")
            else:
                await session.subscribe(channel)
        self.logger().info("Subscribed to the private order, fill, position and account channels.")

    async def _funding_payments_channel(self, trading_pair: str) -> str:
        market = await self._connector.exchange_symbol_associated_to_pair(trading_pair)
        return CONSTANTS.FUNDING_PAYMENTS_CHANNEL.format(market=market)

    def _on_message(self, output: asyncio.Queue[Any], message: Any) -> None:
        if isinstance(message, bytes):
            try:
                event = web_utils.decode_frame(message)
            except web_utils.FrameError as error:
                # An order or a fill may have been in it: REST knows.
                self.logger().warning(f"A message of the private stream could not be read ({error}); asking REST.")
                event = {"channel": CONSTANTS.STREAM_RESUMED, "data": {}}
        else:
            event = message.get("params") if isinstance(message, dict) else None
        if isinstance(event, dict) and "channel" in event:
            output.put_nowait(event)
