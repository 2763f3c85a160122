"""Hummingbot's own acceptance tests for derivative connectors, all of them."""

import asyncio
import inspect
import json
import os
import re
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from aioresponses import aioresponses
from aioresponses.core import RequestCall
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_auth as auth_module,
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.test_support.perpetual_derivative_test import AbstractPerpetualDerivativeTests
from hummingbot.connector.trading_rule import TradingRule
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionMode
from hummingbot.core.data_type.funding_info import FundingInfo
from hummingbot.core.data_type.in_flight_order import InFlightOrder
from hummingbot.core.data_type.trade_fee import TokenAmount, TradeFeeBase
from hummingbot.core.event.event_logger import EventLogger
from hummingbot.core.event.events import AccountEvent
from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory

from tests.unit.connector import payloads, signatures
from tests.unit.connector.payloads import Payload

Suite = AbstractPerpetualDerivativeTests.PerpetualDerivativeTests
Callback = Callable[..., Any] | None

# HEDGE mode does not exist on Paradex, and the last one is the suite's own placeholder.
OVERRIDES = {
    "test_set_position_mode_failure",
    "test_set_position_mode_success",
    "test_get_buy_and_sell_collateral_tokens",
}
TOKEN = payloads.jwt(lifetime=10**9, issued_at=time.time())


def _url(path: str) -> str:
    return web_utils.public_rest_url(path, CONSTANTS.SANDBOX_DOMAIN)


def _query_url(path: str, **query: str) -> re.Pattern[str]:
    """Matches a path with at least this query, and not a longer path."""
    parts = "".join(f"(?=.*[?&]{name}={value}(&|$))" for name, value in query.items())
    return re.compile(f"^{re.escape(_url(path))}(?=[?]|$){parts}")


class TestHummingbotsAcceptance(Suite):
    """What is left open there: how Paradex says it."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.base_asset = "COINALPHA"
        cls.quote_asset = "USDC"
        cls.trading_pair = "COINALPHA-USDC"
        cls.trading_pair_2 = "COINBETA-USDC"
        cls.symbol = "COINALPHA-USD-PERP"

    def setUp(self) -> None:
        # What the suite prepares no answer for shall reach nobody.
        nowhere = patch.dict(os.environ, {CONSTANTS.SANDBOX_URL_VARIABLE: "http://127.0.0.1:9/v1"})
        nowhere.start()
        self.addCleanup(nowhere.stop)
        # Hummingbot has one for the process; what outlives a test by a moment must open no sockets for the next one.
        own = patch.object(ConnectionsFactory, "_instance", None)
        own.start()
        self.addCleanup(own.stop)
        super().setUp()
        info = FundingInfo(self.trading_pair, Decimal(1), Decimal(1), 0, Decimal(100))
        self.exchange._perpetual_trading.initialize_funding_info(info)

    async def asyncTearDown(self) -> None:
        await ConnectionsFactory().close()

    def create_exchange_instance(self) -> ParadexPerpetualDerivative:
        exchange = ParadexPerpetualDerivative(
            paradex_perpetual_api_secret=payloads.SUBKEY,
            paradex_perpetual_account_address=payloads.ADDRESS,
            trading_pairs=[self.trading_pair],
            domain=CONSTANTS.SANDBOX_DOMAIN,
        )
        # As after a login: the chain is known, so that orders can be signed, and there is a token.
        auth = exchange._auth
        auth._signer = auth_module.signer_for(payloads.SYSTEM_CONFIG, payloads.SUBKEY, payloads.ADDRESS)
        auth._token = TOKEN
        auth._renew_at = auth._expires_at = float("inf")
        return exchange

    def exchange_symbol_for_tokens(self, base_token: str, quote_token: str) -> str:
        return f"{base_token}-USD-PERP"

    # === Addresses ===

    all_symbols_url = property(lambda self: _url("/markets"))
    trading_rules_url = all_symbols_url
    latest_prices_url = property(lambda self: _query_url("/markets/summary", market=self.symbol))
    funding_info_url = latest_prices_url
    network_status_url = property(lambda self: _url("/system/state"))
    order_creation_url = property(lambda self: _url("/orders"))
    balance_url = property(lambda self: _url("/balance"))
    funding_payment_url = property(lambda self: _query_url("/funding/payments", market=self.symbol))

    # === Answers ===

    @property
    def _market(self) -> Payload:
        return payloads.market(self.symbol)

    @property
    def all_symbols_request_mock_response(self) -> Payload:
        return payloads.page(self._market)

    @property
    def all_symbols_including_invalid_pair_mock_response(self) -> tuple[str, Payload]:
        option = payloads.market("COINBETA-USD-100000-C", asset_kind="OPTION")
        return "COINBETA-USDC", payloads.page(self._market, option)

    trading_rules_request_mock_response = all_symbols_request_mock_response

    @property
    def trading_rules_request_erroneous_mock_response(self) -> Payload:
        return payloads.page(payloads.market(self.symbol, price_tick_size="many"))

    @property
    def expected_logged_error_for_erroneous_trading_rule(self) -> str:
        return (
            f"Error parsing the trading rule of {self.symbol}, skipping it: "
            "price_tick_size should be a number, the exchange sent 'many'"
        )

    @property
    def expected_trading_rule(self) -> TradingRule:
        return TradingRule(
            trading_pair=self.trading_pair,
            min_order_size=Decimal("0.00001"),
            max_order_size=Decimal("100"),
            min_price_increment=Decimal("0.1"),
            min_base_amount_increment=Decimal("0.00001"),
            min_notional_size=Decimal("10"),
            buy_order_collateral_token="USDC",
            sell_order_collateral_token="USDC",
        )

    expected_latest_price = 60001.1

    @property
    def latest_prices_request_mock_response(self) -> Payload:
        return payloads.page(payloads.summary(self.symbol))

    @property
    def network_status_request_successful_mock_response(self) -> Payload:
        return {"status": "ok"}

    expected_supported_order_types = property(lambda self: [OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.MARKET])
    expected_supported_position_modes = property(lambda self: [PositionMode.ONEWAY])
    expected_exchange_order_id = "1800000000000201709233470000"

    @property
    def order_creation_request_successful_mock_response(self) -> Payload:
        return payloads.order("", "NEW", id=self.expected_exchange_order_id, market=self.symbol)

    # === Balances: only USDC can be available in part, so it is the base here ===

    @property
    def balance_request_mock_response_for_base_and_quote(self) -> Payload:
        return payloads.page(payloads.balance("USDC", "15"), payloads.balance("DIME", "2000"))

    @property
    def balance_request_mock_response_only_base(self) -> Payload:
        return payloads.page(payloads.balance("USDC", "15"))

    def _configure_balance_response(self, response: Payload, mock_api: aioresponses, callback: Callback = None) -> str:
        self.base_asset, self.quote_asset = "USDC", "DIME"
        mock_api.get(_url("/account"), body=json.dumps(payloads.account(free_collateral="10")))
        return super()._configure_balance_response(response, mock_api, callback)

    @property
    def balance_event_websocket_update(self) -> Payload:
        self.base_asset = "USDC"
        # The total comes with an event of its own, before.
        self.exchange._process_user_event("balance_events", payloads.balance_event(after="15"))
        return {"channel": "account", "data": payloads.account(free_collateral="10")}

    # === Fills ===

    is_order_fill_http_update_included_in_status_update = True
    is_order_fill_http_update_executed_during_websocket_order_event_processing = False
    expected_partial_fill_price = Decimal("10500")
    expected_partial_fill_amount = Decimal("0.5")
    expected_fill_trade_id = "30000"

    @property
    def expected_fill_fee(self) -> TradeFeeBase:
        return TradeFeeBase.new_perpetual_fee(
            fee_schema=utils.DEFAULT_FEES,
            position_action=PositionAction(self.order_filled_logger.event_log[0].position),
            percent_token="USDC",
            flat_fees=[TokenAmount("USDC", Decimal("30"))],
        )

    def _fill(self, order: InFlightOrder, price: Decimal, size: Decimal) -> Payload:
        return payloads.fill(
            order.client_order_id,
            id=self.expected_fill_trade_id,
            order_id=order.exchange_order_id,
            market=self.symbol,
            price=str(price),
            size=str(size),
            fee="30",
        )

    # === What was sent ===

    def validate_auth_credentials_present(self, request_call: RequestCall) -> None:
        assert request_call.kwargs["headers"]["Authorization"] == f"Bearer {TOKEN}"

    def validate_order_creation_request(self, order: InFlightOrder, request_call: RequestCall) -> None:
        body = json.loads(request_call.kwargs["data"])
        assert signatures.is_order_signed(body)
        del body["signature"], body["signature_timestamp"]
        flags = {"flags": ["REDUCE_ONLY"]} if order.position is PositionAction.CLOSE else {}
        assert body == {
            "market": self.symbol,
            "side": order.trade_type.name,
            "type": "LIMIT",
            "size": "100",
            "price": "10000",
            "instruction": "GTC",
            "client_id": order.client_order_id,
            "recv_window": CONSTANTS.RECV_WINDOW_MS,
            **flags,
        }

    def validate_order_cancelation_request(self, order: InFlightOrder, request_call: RequestCall) -> None:
        assert request_call.kwargs["params"] == {"market": self.symbol}

    def validate_order_status_request(self, order: InFlightOrder, request_call: RequestCall) -> None:
        """The list of all open orders, or the history of the one."""
        params = request_call.kwargs["params"] or {}
        assert params in ({}, {"client_id": order.client_order_id})

    def validate_trades_request(self, order: InFlightOrder, request_call: RequestCall) -> None:
        params = request_call.kwargs["params"]
        assert set(params) == {"page_size", "start_at"}
        assert params["start_at"] <= order.creation_timestamp * 1e3

    # === What the exchange answers ===

    def _cancelation_url(self, order: InFlightOrder) -> re.Pattern[str]:
        return _query_url(f"/orders/by_client_id/{order.client_order_id}", market=self.symbol)

    def configure_successful_cancelation_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> re.Pattern[str]:
        mock_api.delete(self._cancelation_url(order), status=204, callback=callback)
        return self._cancelation_url(order)

    def configure_erroneous_cancelation_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> re.Pattern[str]:
        body = json.dumps(payloads.error("VALIDATION_ERROR"))
        mock_api.delete(self._cancelation_url(order), status=400, body=body, callback=callback)
        return self._cancelation_url(order)

    def configure_order_not_found_error_cancelation_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> re.Pattern[str]:
        body = json.dumps(payloads.error("CLIENT_ORDER_ID_NOT_FOUND"))
        mock_api.delete(self._cancelation_url(order), status=400, body=body, callback=callback)
        self._configure_nowhere(order, mock_api)
        return self._cancelation_url(order)

    def _configure_nowhere(self, order: InFlightOrder, mock_api: aioresponses) -> None:
        """That no open order is found is looked into: this one is not closed either."""
        for path in (f"/orders/by_client_id/{order.client_order_id}", f"/orders/{order.exchange_order_id}"):
            mock_api.get(_query_url(path), status=400, body=json.dumps(payloads.error("ORDER_ID_NOT_FOUND")))
        mock_api.get(_query_url("/orders-history"), body=json.dumps(payloads.page()))

    def configure_one_successful_one_erroneous_cancel_all_response(
        self, successful_order: InFlightOrder, erroneous_order: InFlightOrder, mock_api: aioresponses
    ) -> list[re.Pattern[str]]:
        """Both go as one batch, which is answered order by order."""
        results = [
            {"id": successful_order.exchange_order_id, "status": "QUEUED_FOR_CANCELLATION"},
            {"id": erroneous_order.exchange_order_id, "status": "NOT_FOUND"},
        ]
        mock_api.delete(_query_url("/orders/batch"), body=json.dumps({"results": results}))
        self._configure_nowhere(erroneous_order, mock_api)
        return [_query_url("/orders/batch")]

    def _configure_lists(
        self,
        mock_api: aioresponses,
        callback: Callback,
        open_orders: Iterable[Payload],
        closed: Iterable[Payload] | None,
    ) -> list[re.Pattern[str]]:
        """:param closed: None if all orders asked for are open, so that the history is not asked"""
        urls = [_query_url("/orders")]
        last = callback if closed is None else None
        mock_api.get(urls[0], body=json.dumps(payloads.page(*open_orders)), callback=last)
        if closed is not None:
            urls.append(_query_url("/orders-history"))
            mock_api.get(urls[1], body=json.dumps(payloads.page(*closed)), callback=callback)
        return urls

    def _order(self, order: InFlightOrder, status: str, **changes: Any) -> Payload:
        return payloads.order(
            order.client_order_id,
            status,
            id=order.exchange_order_id or self.expected_exchange_order_id,
            market=self.symbol,
            side=order.trade_type.name,
            size=str(order.amount),
            price=str(order.price),
            **changes,
        )

    def configure_completely_filled_order_status_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> list[re.Pattern[str]]:
        return self._configure_lists(mock_api, callback, [], [self._order(order, "CLOSED", remaining_size="0")])

    def configure_canceled_order_status_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> list[re.Pattern[str]]:
        # The suite answers no question for fills here.
        mock_api.get(_query_url("/fills"), body=json.dumps(payloads.page()))
        closed = self._order(order, "CLOSED", cancel_reason="USER_CANCELED")
        return self._configure_lists(mock_api, callback, [], [closed])

    def configure_open_order_status_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> list[re.Pattern[str]]:
        mock_api.get(_query_url("/fills"), body=json.dumps(payloads.page()))
        return self._configure_lists(mock_api, callback, [self._order(order, "OPEN")], None)

    def configure_partially_filled_order_status_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> re.Pattern[str]:
        (url,) = self._configure_lists(mock_api, callback, [self._order(order, "OPEN", remaining_size="0.5")], None)
        return url

    def configure_http_error_order_status_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> re.Pattern[str]:
        """An error says nothing about the order and does not count: what does is that neither list has it."""
        mock_api.get(_query_url("/fills"), body=json.dumps(payloads.page()))
        return self.configure_order_not_found_error_order_status_response(order, mock_api, callback)[1]

    def configure_order_not_found_error_order_status_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> list[re.Pattern[str]]:
        return self._configure_lists(mock_api, callback, [], [])

    def configure_partial_fill_trade_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> re.Pattern[str]:
        fill = self._fill(order, self.expected_partial_fill_price, self.expected_partial_fill_amount)
        mock_api.get(_query_url("/fills"), body=json.dumps(payloads.page(fill)), callback=callback)
        return _query_url("/fills")

    def configure_full_fill_trade_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> re.Pattern[str]:
        fill = self._fill(order, order.price, order.amount)
        mock_api.get(_query_url("/fills"), body=json.dumps(payloads.page(fill)), callback=callback)
        return _query_url("/fills")

    def configure_erroneous_http_fill_trade_response(
        self, order: InFlightOrder, mock_api: aioresponses, callback: Callback = None
    ) -> re.Pattern[str]:
        mock_api.get(_query_url("/fills"), status=400, callback=callback)
        return _query_url("/fills")

    # === What the streams say ===

    def order_event_for_new_order_websocket_update(self, order: InFlightOrder) -> Payload:
        return {"channel": f"orders.{self.symbol}", "data": self._order(order, "NEW")}

    def order_event_for_canceled_order_websocket_update(self, order: InFlightOrder) -> Payload:
        closed = self._order(order, "CLOSED", cancel_reason="USER_CANCELED")
        return {"channel": f"orders.{self.symbol}", "data": closed}

    def order_event_for_full_fill_websocket_update(self, order: InFlightOrder) -> Payload:
        closed = self._order(order, "CLOSED", remaining_size="0")
        return {"channel": f"orders.{self.symbol}", "data": closed}

    def trade_event_for_full_fill_websocket_update(self, order: InFlightOrder) -> Payload:
        return {"channel": f"fills.{self.symbol}", "data": self._fill(order, order.price, order.amount)}

    def position_event_for_full_fill_websocket_update(self, order: InFlightOrder, unrealized_pnl: float) -> Payload:
        position = payloads.position(
            self.symbol,
            size=f"-{order.amount}",
            average_entry_price=str(order.price),
            unrealized_pnl=str(unrealized_pnl),
        )
        return {"channel": "positions", "data": position}

    # === Leverage and funding ===

    def _configure_set_leverage(self, mock_api: aioresponses, callback: Callback, status: int, body: Payload) -> str:
        url = _url(f"/account/margin/{self.symbol}")
        mock_api.post(url, status=status, body=json.dumps(body), callback=callback)
        return url

    def configure_successful_set_leverage(
        self, leverage: int, mock_api: aioresponses, callback: Callback = None
    ) -> str:
        body = {"account": payloads.ADDRESS, "market": self.symbol, "leverage": leverage, "margin_type": "CROSS"}
        return self._configure_set_leverage(mock_api, callback, 200, body)

    def configure_failed_set_leverage(
        self, leverage: int, mock_api: aioresponses, callback: Callback = None
    ) -> tuple[str, str]:
        url = self._configure_set_leverage(mock_api, callback, 400, payloads.error("VALIDATION_ERROR", "no"))
        path = f"/account/margin/{self.symbol}"
        return url, f"Paradex refused POST {path}: VALIDATION_ERROR, no (HTTP 400)"

    @property
    def target_funding_info_next_funding_utc_timestamp(self) -> int:
        return self.exchange.next_funding_timestamp(self.trading_pair)

    @property
    def funding_info_mock_response(self) -> Payload:
        return payloads.page(
            payloads.summary(
                self.symbol,
                underlying_price=str(self.target_funding_info_index_price),
                mark_price=str(self.target_funding_info_mark_price),
                funding_rate=str(self.target_funding_info_rate),
            )
        )

    def funding_info_event_for_websocket_update(self) -> web_utils.SummaryFrame:
        return web_utils.SummaryFrame(
            market=self.symbol,
            mark_price=Decimal(self.target_funding_info_mark_price_ws_updated),
            underlying_price=Decimal(self.target_funding_info_index_price_ws_updated),
            last_price=Decimal(1),
            funding_rate=Decimal(self.target_funding_info_rate_ws_updated),
            timestamp=time.time(),
        )

    @property
    def empty_funding_payment_mock_response(self) -> Payload:
        return payloads.page()

    @property
    def funding_payment_mock_response(self) -> Payload:
        """The rate is not in it: the connector takes the present one."""
        return payloads.page(
            payloads.funding_payment(
                str(self.target_funding_payment_payment_amount),
                self.symbol,
                created_at=self.target_funding_payment_timestamp * 1000,
            )
        )

    # === The overrides ===

    def configure_successful_set_position_mode(
        self, position_mode: PositionMode, mock_api: aioresponses, callback: Callback = None
    ) -> None:
        raise AssertionError("there is nothing to be asked: positions are one-way")

    configure_failed_set_position_mode = configure_successful_set_position_mode

    def _position_mode_events(self, tag: AccountEvent) -> EventLogger:
        events = EventLogger()
        self.exchange.add_listener(tag, events)
        return events

    def _set_position_mode(self, mode: PositionMode) -> None:
        self.exchange.set_position_mode(mode)
        self.async_run_with_timeout(asyncio.sleep(0.01))

    def test_set_position_mode_failure(self) -> None:
        changes = self._position_mode_events(AccountEvent.PositionModeChangeSucceeded)
        with aioresponses() as mock_api:
            self._set_position_mode(PositionMode.HEDGE)
        assert not mock_api.requests
        assert not changes.event_log
        assert self.exchange.position_mode is PositionMode.ONEWAY
        assert self.is_logged("ERROR", f"Position mode {PositionMode.HEDGE} is not supported. Mode not set.")
        refused = self.exchange._trading_pair_position_mode_set(PositionMode.HEDGE, self.trading_pair)
        assert self.async_run_with_timeout(refused) == (
            False,
            "Paradex positions are one-way: there is no hedge mode.",
        )

    def test_set_position_mode_success(self) -> None:
        changes = self._position_mode_events(AccountEvent.PositionModeChangeSucceeded)
        with aioresponses() as mock_api:
            self._set_position_mode(PositionMode.ONEWAY)
        assert not mock_api.requests
        assert [event.position_mode for event in changes.event_log] == [PositionMode.ONEWAY]
        assert self.is_logged("INFO", f"Position mode switched to {PositionMode.ONEWAY}.")

    def test_get_buy_and_sell_collateral_tokens(self) -> None:
        self._simulate_trading_rules_initialized()
        assert self.exchange.get_buy_collateral_token(self.trading_pair) == "USDC"
        assert self.exchange.get_sell_collateral_token(self.trading_pair) == "USDC"


def test_only_what_cannot_hold_on_paradex_is_overridden_and_nothing_is_emptied_or_skipped() -> None:
    def tests_of(cls: type) -> dict[str, Any]:
        return {name: test for name, test in inspect.getmembers(cls, inspect.isfunction) if name.startswith("test_")}

    inherited, ours = tests_of(Suite), tests_of(TestHummingbotsAcceptance)
    assert len(inherited) >= 50
    assert set(ours) == set(inherited)
    assert {name for name in ours if ours[name] is not inherited[name]} == OVERRIDES
    assert not any(hasattr(test, "__unittest_skip__") or hasattr(test, "pytestmark") for test in ours.values())
    for name in OVERRIDES:
        assert inspect.getsource(ours[name]).count("assert ") >= 2, name
