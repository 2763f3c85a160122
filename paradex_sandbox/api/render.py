"""Objects of the exchange as the JSON that Paradex's OpenAPI file describes. Pure functions, one per schema.

Money and rates are strings of plain decimals, cut (as in the binary frames, not rounded) to 8 places, funding rates and
indices to 12; prices and sizes keep the digits they have. Times go out in milliseconds. A field that is optional and
has no value is left out.
"""

import hashlib
import json
from decimal import ROUND_DOWN, Decimal
from typing import Any

from paradex_sandbox.api.transfers import Transfer
from paradex_sandbox.exchange.algo import AlgoOrder
from paradex_sandbox.exchange.events import BalanceChanged, MmpChanged
from paradex_sandbox.exchange.mmp import MmpConfig, MmpState
from paradex_sandbox.exchange.model import (
    Account,
    AccountSummary,
    Balance,
    Bbo,
    BestSizes,
    BookView,
    CancelResult,
    FeeConfig,
    FeeRate,
    Fill,
    FundingData,
    FundingPayment,
    MakerTakerFee,
    MarginConfig,
    Market,
    MarketChange,
    MarketSummary,
    OptionMarginFractions,
    Order,
    Position,
    Subkey,
    Trade,
    TradeBust,
)

Json = dict[str, Any]

#: Fields of a market that its change events carry as strings.
_EVENT_TEXTS = frozenset(
    ("price_tick_size", "order_size_increment", "min_notional", "max_order_size", "position_limit", "strike_price")
)
_EVENT_WORDS = frozenset(
    ("asset_kind", "market_kind", "base_currency", "quote_currency", "settlement_currency", "option_type")
)
_PLACES_8 = Decimal("1E-8")
_PLACES_12 = Decimal("1E-12")

#: Address under which balance events name the settlement token.
USDC_ADDRESS = "0x6f373b346561036d98ea10fb3e60d2f459c872b1933b50b21fe6ef4fda3b75e"


def text(value: Decimal) -> str:
    """`value` without exponent and without trailing zeros."""
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("-0", "") else plain


def money(value: Decimal) -> str:
    """An amount or a computed price, cut to 8 places."""
    return text(value.quantize(_PLACES_8, rounding=ROUND_DOWN))


def rate(value: Decimal) -> str:
    """A funding rate or index, cut to 12 places."""
    return text(value.quantize(_PLACES_12, rounding=ROUND_DOWN))


def millis(us: int) -> int:
    """Microseconds as milliseconds."""
    return us // 1000


def market(item: Market) -> Json:
    """responses.MarketResp"""
    body: Json = {
        "symbol": item.symbol,
        "base_currency": item.base_currency,
        "quote_currency": item.quote_currency,
        "settlement_currency": item.settlement_currency,
        "asset_kind": item.asset_kind.value,
        "market_kind": item.market_kind.value,
        "trading_mode": item.trading_mode.value,
        "price_tick_size": text(item.price_tick_size),
        "order_size_increment": text(item.order_size_increment),
        "min_notional": text(item.min_notional),
        "max_order_size": text(item.max_order_size),
        "max_open_orders": item.max_open_orders,
        "position_limit": text(item.position_limit),
        "price_bands_width": text(item.price_bands_width),
        "max_slippage": text(item.max_slippage),
        "max_tob_spread": text(item.max_tob_spread),
        "open_at": millis(item.open_at),
        "expiry_at": millis(item.expiry_at),
        "oracle_ewma_factor": text(item.oracle_ewma_factor),
        "price_feed_id": item.price_feed_id,
        "funding_period_hours": item.funding_period_hours,
        "funding_multiplier": float(item.funding_multiplier),
        "max_funding_rate": text(item.max_funding_rate),
        "max_funding_rate_change": text(item.max_funding_rate_change),
        "interest_rate": text(item.interest_rate),
        "clamp_rate": text(item.clamp_rate),
        "tags": list(item.tags),
    }
    if item.delta1_cross_margin_params is not None:
        params = item.delta1_cross_margin_params
        body["delta1_cross_margin_params"] = {
            "imf_base": text(params.imf_base),
            "imf_shift": text(params.imf_shift),
            "imf_factor": text(params.imf_factor),
            "mmf_factor": text(params.mmf_factor),
        }
    if item.option_cross_margin_params is not None:
        body["option_cross_margin_params"] = {
            "imf": _option_margin(item.option_cross_margin_params.imf),
            "mmf": _option_margin(item.option_cross_margin_params.mmf),
        }
    if item.fee_config is not None:
        body["fee_config"] = _fee_config(item.fee_config)
    if item.iv_bands_width is not None:
        body["iv_bands_width"] = text(item.iv_bands_width)
    if item.option_type:
        body["option_type"] = item.option_type
        body["strike_price"] = text(item.strike_price)
    return body


def market_event(item: MarketChange) -> Json:
    """responses.MarketEvent: fractions and settlement prices are numbers here, sizes and ticks strings."""
    changed: Json = {}
    for name, value in item.changed:
        if name in ("open_at", "expiry_at"):
            changed[name] = millis(int(value))
        elif value.startswith("{"):
            changed[name] = json.loads(value)
        elif name in _EVENT_WORDS:
            changed[name] = value
        elif name == "max_open_orders":
            changed[name] = int(value)
        elif name in _EVENT_TEXTS:
            changed[name] = text(Decimal(value))
        else:
            changed[name] = float(value)
    return {
        "symbol": item.market,
        "event_type": item.kind.value,
        "updated_at": millis(item.created_at),
        "changed_fields": changed,
    }


def market_summary(item: MarketSummary) -> Json:
    """responses.MarketSummaryResp; an empty book side is an empty string."""
    return {
        "symbol": item.symbol,
        "mark_price": money(item.mark_price),
        "underlying_price": money(item.underlying_price),
        "external_fair_price": money(item.underlying_price),
        "last_traded_price": text(item.last_traded_price),
        "bid": _optional(item.bid),
        "bid_size": _optional(item.bid_size),
        "ask": _optional(item.ask),
        "ask_size": _optional(item.ask_size),
        "volume_24h": money(item.volume_24h),
        "total_volume": money(item.total_volume),
        "open_interest": text(item.open_interest),
        "funding_rate": rate(item.funding_rate),
        "price_change_rate_24h": money(item.price_change_rate_24h),
        "created_at": millis(item.created_at),
    }


def bbo(item: Bbo) -> Json:
    """responses.BBOResp; an empty book side is an empty string."""
    return {
        "market": item.market,
        "bid": _optional(item.bid),
        "bid_size": _optional(item.bid_size),
        "ask": _optional(item.ask),
        "ask_size": _optional(item.ask_size),
        "seq_no": item.seq,
        "last_updated_at": millis(item.last_updated_at),
    }


def order_book(view: BookView, best: BestSizes) -> Json:
    """responses.AskBidArray. `best` are the ungrouped best levels of both books."""
    return {
        "market": view.market,
        "seq_no": view.seq,
        "last_updated_at": millis(view.last_updated_at),
        "bids": [[text(price), text(size)] for price, size in view.bids],
        "asks": [[text(price), text(size)] for price, size in view.asks],
        "best_bid_api": _level(best.bid_api),
        "best_ask_api": _level(best.ask_api),
        "best_bid_interactive": _level(best.bid_interactive),
        "best_ask_interactive": _level(best.ask_interactive),
    }


def trade(item: Trade) -> Json:
    """responses.TradeResult"""
    return {
        "id": item.id,
        "market": item.market,
        "side": item.side.value,
        "price": text(item.price),
        "size": text(item.size),
        "trade_type": item.trade_type.value,
        "created_at": millis(item.created_at),
    }


def funding_data(item: FundingData) -> Json:
    """responses.FundingDataResult"""
    return {
        "market": item.market,
        "funding_rate": rate(item.funding_rate),
        "funding_rate_8h": rate(item.funding_rate_8h),
        "funding_index": rate(item.funding_index),
        "funding_premium": rate(item.funding_premium),
        "funding_period_hours": item.funding_period_hours,
        "created_at": millis(item.created_at),
    }


def order(item: Order) -> Json:
    """responses.OrderResp"""
    body: Json = {
        "id": item.id,
        "account": item.account,
        "market": item.market,
        "side": item.side.value,
        "type": item.type.value,
        "size": text(item.size),
        "remaining_size": text(item.remaining_size),
        "price": text(item.price),
        "status": item.status.value,
        "instruction": item.instruction.value,
        "flags": [flag.value for flag in item.flags],
        "client_id": item.client_id,
        "avg_fill_price": "0" if item.avg_fill_price is None else money(item.avg_fill_price),
        "trigger_price": "0" if item.trigger_price is None else text(item.trigger_price),
        "cancel_reason": item.cancel_reason,
        "created_at": millis(item.created_at),
        "last_updated_at": millis(item.last_updated_at),
        "published_at": millis(item.published_at),
        "received_at": millis(item.received_at),
        "timestamp": item.timestamp,
        "seq_no": item.seq_no,
    }
    if item.stp is not None:
        body["stp"] = item.stp.value
    if item.request_info is not None:
        body["request_info"] = {
            "id": item.request_info.id,
            "request_type": item.request_info.request_type,
            "status": item.request_info.status,
            "message": item.request_info.message,
        }
    return body


def cancel_result(account: str | None, item: CancelResult) -> Json:
    """responses.CancelOrderResult; without `account` as the socket answers. What is not known is left out."""
    body: Json = {"status": item.status.value}
    known = {"account": account, "id": item.id, "market": item.market}
    if account is not None:
        known["client_id"] = item.client_id
    return body | {name: value for name, value in known.items() if value}


def algo(item: AlgoOrder) -> Json:
    """responses.AlgoOrderResp"""
    return {
        "id": item.id,
        "account": item.account,
        "algo_type": item.algo_type,
        "algo_params": {"duration_seconds": str(item.duration_seconds), "frequency": str(item.frequency)},
        "market": item.market,
        "side": item.side.value,
        "size": text(item.size),
        "remaining_size": text(item.remaining_size),
        "status": item.status.value,
        "avg_fill_price": "0" if item.avg_fill_price is None else money(item.avg_fill_price),
        "cancel_reason": item.cancel_reason,
        "created_at": millis(item.created_at),
        "end_at": millis(item.end_at),
        "last_updated_at": millis(item.last_updated_at),
    }


def tradebust(item: TradeBust) -> Json:
    """responses.TradebustResult"""
    return {"account": item.account, "busted_fill_id": item.busted_fill_id, "created_at": millis(item.created_at)}


def mmp_config(item: MmpConfig) -> Json:
    """The config of market-maker protection, as the official SDK reads it (models.MmpConfig)."""
    return {
        "base_asset": item.base_asset,
        "interval_ms": item.interval_ms,
        "frozen_time_ms": item.frozen_time_ms,
        "size_limit": text(item.size_limit),
        "delta_limit": text(item.delta_limit),
        "vega_limit": text(item.vega_limit),
        "protect_block_trades": item.protect_block_trades,
        "updated_at": millis(item.updated_at),
    }


def mmp_state(item: MmpState) -> Json:
    """The config with its live state."""
    return mmp_config(item.config) | {
        "is_frozen": item.is_frozen,
        "frozen_until": millis(item.frozen_until),
        "window_size": text(item.window_size),
        "window_delta": text(item.window_delta),
        "window_vega": text(item.window_vega),
    }


def mmp_event(event: MmpChanged) -> Json:
    """The payload of the `mmp` channel: fields of TRIGGERED and CONFIG_UPDATED stand only there."""
    body: Json = {
        "account": event.account,
        "base_asset": event.base_asset,
        "kind": event.kind.value,
        "frozen_until": millis(event.frozen_until),
        "created_at": millis(event.ts),
    }
    if event.trip_reason is not None:
        body["trip_reason"] = event.trip_reason.value
        body["trigger_market"] = event.trigger_market
        for name in ("window_size", "window_delta", "window_vega"):
            value = getattr(event, name)
            body[name] = "0" if value is None else text(value)
    if event.config is not None:
        body["config"] = mmp_config(event.config)
    if event.removed:
        body["removed"] = True
    return body


def fill(item: Fill) -> Json:
    """responses.FillResult; `side` is the taker's."""
    return {
        "id": item.id,
        "account": item.account,
        "market": item.market,
        "order_id": item.order_id,
        "client_id": item.client_id,
        "side": item.side.value,
        "liquidity": item.liquidity.value,
        "price": text(item.price),
        "size": text(item.size),
        "remaining_size": text(item.remaining_size),
        "fee": money(item.fee),
        "fee_currency": item.fee_currency,
        "fill_type": item.fill_type.value,
        "flags": [flag.value for flag in item.flags],
        "realized_pnl": money(item.realized_pnl),
        "realized_funding": money(item.realized_funding),
        "underlying_price": money(item.underlying_price),
        "orderbook_seq_no": item.orderbook_seq_no,
        "created_at": millis(item.created_at),
    }


def position(item: Position) -> Json:
    """responses.PositionResp. Quote and USD are the same here, so the USD fields repeat the others."""
    return {
        "id": item.id,
        "account": item.account,
        "market": item.market,
        "status": item.status.value,
        "side": item.side.value,
        "size": text(item.size),
        "cost": money(item.cost),
        "cost_usd": money(item.cost),
        "average_entry_price": money(item.average_entry_price),
        "average_entry_price_usd": money(item.average_entry_price),
        "average_exit_price": money(item.average_exit_price),
        "unrealized_pnl": money(item.unrealized_pnl),
        "unrealized_funding_pnl": money(item.unrealized_funding_pnl),
        "cached_funding_index": rate(item.cached_funding_index),
        "realized_positional_pnl": money(item.realized_positional_pnl),
        "realized_positional_funding_pnl": money(item.realized_positional_funding_pnl),
        "leverage": str(item.leverage),
        "liquidation_price": "" if item.liquidation_price is None else money(item.liquidation_price),
        "last_fill_id": item.last_fill_id,
        "seq_no": item.seq_no,
        "created_at": millis(item.created_at),
        "last_updated_at": millis(item.last_updated_at),
        "closed_at": millis(item.closed_at),
    }


def account_summary(item: AccountSummary) -> Json:
    """responses.AccountSummaryResponse"""
    return {
        "account": item.account,
        "account_value": money(item.account_value),
        "total_collateral": money(item.total_collateral),
        "free_collateral": money(item.free_collateral),
        "initial_margin_requirement": money(item.initial_margin_requirement),
        "maintenance_margin_requirement": money(item.maintenance_margin_requirement),
        "margin_cushion": money(item.margin_cushion),
        "settlement_asset": item.settlement_asset,
        "status": item.status.value,
        "seq_no": item.seq_no,
        "updated_at": millis(item.updated_at),
        "last_seen_notification": 0,
    }


def account_info(item: Account) -> Json:
    """responses.AccountInfoResponse"""
    maker, taker = text(item.fees.maker_rate), text(item.fees.taker_rate)
    return {
        "account": item.address,
        "parent_account": item.parent,
        "kind": "subaccount" if item.parent else "main",
        "public_key": item.public_key,
        "created_at": millis(item.created_at),
        "derivation_path": "",
        "isolated_market": "",
        "username": "",
        "has_ecosystem_nft": False,
        "fees": {
            "maker_rate": maker,
            "taker_rate": taker,
            "spot_maker_rate": maker,
            "spot_taker_rate": taker,
            "perp_option_maker_rate": maker,
            "perp_option_taker_rate": taker,
            "dated_option_maker_rate": maker,
            "dated_option_taker_rate": taker,
            "commission_rate": "0",
            "discount_rate": "0",
        },
        "volume_tiers": {},
    }


def balance(item: Balance) -> Json:
    """responses.BalanceResp"""
    return {
        "token": item.token,
        "size": money(item.size),
        "average_entry_price": "1",
        "average_entry_price_usd": "1",
        "cost": money(item.size),
        "cost_usd": money(item.size),
        "last_updated_at": millis(item.last_updated_at),
    }


def margin_configs(account: str, configs: list[MarginConfig]) -> Json:
    """responses.GetAccountMarginConfigsResp"""
    return {
        "account": account,
        "margin_methodology": "cross_margin",
        "configs": [
            {"market": item.market, "leverage": item.leverage, "margin_type": item.margin_type.value}
            for item in configs
        ],
    }


def margin_update(account: str, item: MarginConfig) -> Json:
    """responses.UpdateAccountMarginConfigResp"""
    return {
        "account": account,
        "market": item.market,
        "leverage": item.leverage,
        "margin_type": item.margin_type.value,
    }


def funding_payment(item: FundingPayment) -> Json:
    """responses.FundingPayment; `payment` is signed, positive when received."""
    return {
        "id": item.id,
        "account": item.account,
        "market": item.market,
        "payment": money(item.payment),
        "index": rate(item.index),
        "fill_id": item.fill_id,
        "created_at": millis(item.created_at),
    }


def transaction(item: Fill) -> Json:
    """responses.TransactionResponse: the settlement of a fill, at once in this chainless exchange."""
    digest = hashlib.sha256(f"{item.account}:{item.fill_type}:{item.id}".encode()).digest()
    return {
        "id": item.id,
        "type": "TRANSACTION_FILL",
        "state": "ACCEPTED_ON_L2",
        "hash": hex(int.from_bytes(digest, "big") >> 6),
        "created_at": millis(item.created_at),
        "completed_at": millis(item.created_at),
    }


def transfer(item: Transfer) -> Json:
    """responses.TransferResult: complete at once, from and to nowhere in particular."""
    return {
        "id": item.id,
        "account": item.account,
        "counterparty": item.account,
        "kind": "WITHDRAWAL" if item.amount < 0 else "DEPOSIT",
        "direction": "OUT" if item.amount < 0 else "IN",
        "status": "COMPLETED",
        "token": item.token,
        "amount": money(abs(item.amount)),
        "bridge": "",
        "external_account": "",
        "external_chain": "",
        "external_txn_hash": "",
        "txn_hash": "",
        "failure_reason": "",
        "socialized_loss_factor": "0",
        "auto_withdrawal_fee": "0",
        "vault_address": "",
        "vault_unwind_completion_percentage": "0",
        "created_at": millis(item.created_at),
        "last_updated_at": millis(item.created_at),
    }


def balance_event(event: BalanceChanged) -> Json:
    """The payload of `balance_events` (AsyncAPI BalanceEventResponse)."""
    return {
        "type": event.kind.value,
        "status": "ON_BLOCKCHAIN",
        "market": event.market,
        "fill_id": event.fill_id,
        "fees": money(event.fees),
        "realized_pnl": money(event.realized_pnl),
        "realized_funding": money(event.realized_funding),
        "funding_index": rate(event.funding_index),
        "settlement_asset_name": event.token,
        "settlement_asset_address": USDC_ADDRESS,
        "settlement_asset_price": "1",
        "settlement_asset_balance_before": money(event.before),
        "settlement_asset_balance_after": money(event.after),
        "created_at": millis(event.ts),
    }


def subkey(account: Account, item: Subkey) -> Json:
    """responses.Subkey; its times are nanoseconds. The id counts the account's subkeys."""
    return {
        "id": 1 + list(account.subkeys).index(item.public_key),
        "account_id": account.address,
        "name": item.name,
        "public_key": item.public_key,
        "state": "active" if item.is_active else "revoked",
        "allowed_cidrs": [],
        "created_at": item.created_at * 1000,
        "updated_at": max(item.created_at, item.revoked_at) * 1000,
        "revoked_at": item.revoked_at * 1000,
    }


def _optional(value: Decimal | None) -> str:
    return "" if value is None else text(value)


def _level(level: tuple[Decimal, Decimal] | None) -> list[str]:
    return [] if level is None else [text(level[0]), text(level[1])]


def _fee_rate(item: FeeRate) -> Json:
    return {"fee": text(item.fee), "fee_cap": text(item.fee_cap), "fee_floor": text(item.fee_floor)}


def _maker_taker(item: MakerTakerFee) -> Json:
    return {"maker_fee": _fee_rate(item.maker_fee), "taker_fee": _fee_rate(item.taker_fee)}


def _fee_config(item: FeeConfig) -> Json:
    return {
        "api_fee": _maker_taker(item.api_fee),
        "interactive_fee": _maker_taker(item.interactive_fee),
        "rpi_fee": _maker_taker(item.rpi_fee),
    }


def _option_margin(item: OptionMarginFractions) -> Json:
    return {
        "long_itm": text(item.long_itm),
        "premium_multiplier": text(item.premium_multiplier),
        "short_itm": text(item.short_itm),
        "short_otm": text(item.short_otm),
        "short_put_cap": text(item.short_put_cap),
    }
