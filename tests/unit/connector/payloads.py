"""Payloads as Paradex sends them, with the fields that its OpenAPI and AsyncAPI descriptions name."""

import base64
import json
from typing import Any

MARKET = "BTC-USD-PERP"
PAIR = "BTC-USDC"
ETH_MARKET = "ETH-USD-PERP"
ETH_PAIR = "ETH-USDC"
# Of nobody: both are random.
SUBKEY = "0x3c1e9550e66958296d11b60f8e8e7a7ad990d07fa65d5f7652c4a6c87d4e3cc"
ADDRESS = "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa"
CHAIN_ID = "PRIVATE_SN_POTC_SEPOLIA"
NOW = 1_800_000_000.0  # seconds
NOW_MS = int(NOW * 1000)

Payload = dict[str, Any]

SYSTEM_CONFIG: Payload = {
    "starknet_gateway_url": "",
    "starknet_fullnode_rpc_url": "http://127.0.0.1/rpc",
    "starknet_fullnode_rpc_base_url": "http://127.0.0.1",
    "starknet_chain_id": CHAIN_ID,
    "block_explorer_url": "http://127.0.0.1",
    "paraclear_address": "0x1",
    "paraclear_decimals": 8,
    "paraclear_account_proxy_hash": "0x2",
    "paraclear_account_hash": "0x3",
    "oracle_address": "0x4",
    "bridged_tokens": [],
    "l1_core_contract_address": "0x5",
    "l1_operator_address": "0x6",
    "l1_chain_id": "11155111",
    "liquidation_fee": "0.01",
    "environment": "testnet",
}


def jwt(lifetime: float = 300, issued_at: float = NOW, name: str = "") -> str:
    """A token with the claims that Paradex's have; nobody here checks its signature."""
    claims = {"exp": int(issued_at + lifetime), "iat": int(issued_at), "sub": ADDRESS, "typ": "at+JWT", "name": name}
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "ES256", "typ": "JWT"}, claims)
    )
    return f"{head}.{body}.c2lnbmF0dXJl"


def page(*results: Payload, cursor: str | None = None) -> Payload:
    """A list as REST answers it."""
    return {"results": list(results), "next": cursor, "prev": None}


def stream(channel: str, data: Payload) -> Payload:
    """A message of a JSON channel."""
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}


def market(symbol: str = MARKET, **changes: Any) -> Payload:
    """An entry of `GET /markets`."""
    base = symbol.split("-")[0]
    return {
        "symbol": symbol,
        "base_currency": base,
        "quote_currency": "USD",
        "settlement_currency": "USDC",
        "order_size_increment": "0.00001",
        "price_tick_size": "0.1",
        "min_notional": "10",
        "open_at": 1_681_493_415_023,
        "expiry_at": 0,
        "asset_kind": "PERP",
        "market_kind": "cross",
        "trading_mode": "STANDARD",
        "position_limit": "500",
        "price_bands_width": "0.05",
        "max_open_orders": 100,
        "max_order_size": "100",
        "max_slippage": "0.05",
        "max_funding_rate": "0.02",
        "funding_period_hours": 8,
        "funding_multiplier": 1,
        "delta1_cross_margin_params": {
            "imf_base": "0.02",
            "imf_factor": "0",
            "imf_shift": "0",
            "mmf_factor": "0.5",
        },
        "fee_config": {
            "api_fee": {"maker_fee": {"fee": "0.00003"}, "taker_fee": {"fee": "0.00045"}},
            "interactive_fee": {"maker_fee": {"fee": "0"}, "taker_fee": {"fee": "0"}},
        },
        **changes,
    }


def summary(symbol: str = MARKET, **changes: Any) -> Payload:
    """An entry of `GET /markets/summary`."""
    return {
        "symbol": symbol,
        "mark_price": "60010.5",
        "underlying_price": "60005.25",
        "last_traded_price": "60001.1",
        "funding_rate": "0.00012345",
        "bid": "60000",
        "bid_size": "0.5",
        "ask": "60001",
        "ask_size": "0.7",
        "open_interest": "120.5",
        "volume_24h": "1000000",
        "total_volume": "5000000",
        "price_change_rate_24h": "0.01",
        "created_at": NOW_MS,
        **changes,
    }


def order_book(symbol: str = MARKET, seq: int = 10, **changes: Any) -> Payload:
    """`GET /orderbook/{market}`."""
    return {
        "market": symbol,
        "seq_no": seq,
        "last_updated_at": NOW_MS,
        "bids": [["60000", "0.5"], ["59999.5", "1"]],
        "asks": [["60001", "0.7"], ["60002", "2"]],
        **changes,
    }


def order(client_id: str, status: str = "OPEN", **changes: Any) -> Payload:
    """An order of REST or of the `orders` channel."""
    size = changes.get("size", "0.5")
    return {
        "id": "1800000000000201709233470000",
        "account": ADDRESS,
        "market": MARKET,
        "side": "BUY",
        "type": "LIMIT",
        "size": size,
        "remaining_size": size,
        "price": "60000",
        "status": status,
        "created_at": NOW_MS,
        "last_updated_at": NOW_MS + 5,
        "timestamp": NOW_MS,
        "received_at": NOW_MS,
        "published_at": NOW_MS + 6,
        "cancel_reason": "",
        "client_id": client_id,
        "seq_no": 1,
        "instruction": "GTC",
        "avg_fill_price": "",
        "stp": "EXPIRE_TAKER",
        "trigger_price": "0",
        "flags": [],
        **changes,
    }


def fill(client_id: str, **changes: Any) -> Payload:
    """A fill of `GET /fills` or of the `fills` channel."""
    return {
        "id": "8615262148007718462",
        "fill_type": "FILL",
        "account": ADDRESS,
        "market": MARKET,
        "order_id": "1800000000000201709233470000",
        "client_id": client_id,
        "side": "SELL",  # the taker's
        "liquidity": "MAKER",
        "price": "60000",
        "size": "0.2",
        "remaining_size": "0.3",
        "fee": "0.36",
        "fee_currency": "USDC",
        "created_at": NOW_MS + 10,
        "underlying_price": "60005",
        "realized_pnl": "0",
        "realized_funding": "0",
        "flags": [],
        **changes,
    }


def position(symbol: str = MARKET, size: str = "0.5", **changes: Any) -> Payload:
    """A position of REST or of the `positions` channel; the size is signed."""
    return {
        "id": f"{ADDRESS}-{symbol}",
        "account": ADDRESS,
        "market": symbol,
        "status": "OPEN",
        "side": "SHORT" if size.startswith("-") else "LONG",
        "size": size,
        "average_entry_price": "59000",
        "average_entry_price_usd": "59000",
        "unrealized_pnl": "12.5",
        "unrealized_funding_pnl": "0.1",
        "cost": "29500",
        "cost_usd": "29500",
        "cached_funding_index": "1",
        "last_updated_at": NOW_MS,
        "last_fill_id": "1",
        "leverage": "7.5",
        "liquidation_price": "20000",
        "seq_no": 1,
        **changes,
    }


def balance(token: str = "USDC", size: str = "15", **changes: Any) -> Payload:
    """An entry of `GET /balance`."""
    return {"token": token, "size": size, "last_updated_at": NOW_MS, **changes}


def account(free_collateral: str = "10", **changes: Any) -> Payload:
    """`GET /account`, and the data of the `account` channel."""
    return {
        "account": ADDRESS,
        "account_value": "15",
        "free_collateral": free_collateral,
        "initial_margin_requirement": "5",
        "maintenance_margin_requirement": "2.5",
        "margin_cushion": "12.5",
        "total_collateral": "15",
        "settlement_asset": "USDC",
        "status": "ACTIVE",
        "seq_no": 1,
        "updated_at": NOW_MS,
        **changes,
    }


def balance_event(after: str, token: str = "USDC", **changes: Any) -> Payload:
    """The data of the `balance_events` channel."""
    return {
        "type": "TRANSACTION_FILL",
        "fill_id": "1",
        "market": MARKET,
        "status": "ON_BLOCKCHAIN",
        "settlement_asset_name": token,
        "settlement_asset_address": "0x7",
        "settlement_asset_balance_before": "0",
        "settlement_asset_balance_after": after,
        "settlement_asset_price": "1",
        "funding_index": "0",
        "realized_pnl": "0",
        "fees": "0",
        "realized_funding": "0",
        "created_at": NOW_MS,
        **changes,
    }


def funding_payment(payment: str = "-1.25", symbol: str = MARKET, **changes: Any) -> Payload:
    """An entry of `GET /funding/payments`, and the data of the `funding_payments` channel."""
    return {
        "id": "1681375578221101699352320000",
        "account": ADDRESS,
        "market": symbol,
        "payment": payment,
        "index": "-2819.53434361",
        "fill_id": "8615262148007718462",
        "created_at": NOW_MS,
        **changes,
    }


def margin(leverage: int = 5, margin_type: str = "CROSS", symbol: str = MARKET) -> Payload:
    """`GET /account/margin?market=`."""
    config = {"market": symbol, "leverage": leverage, "margin_type": margin_type, "isolated_margin_leverage": 0}
    return {"account": ADDRESS, "margin_methodology": "cross_margin", "configs": [config]}


def account_info(maker_rate: str = "0.00001", taker_rate: str = "0.0002", address: str = ADDRESS) -> Payload:
    """An entry of `GET /account/info`."""
    return {
        "account": address,
        "kind": "main",
        "public_key": "0x1",
        "fees": {
            "maker_rate": maker_rate,
            "taker_rate": taker_rate,
            "spot_maker_rate": "0.1",
            "spot_taker_rate": "0.2",
        },
    }


def error(code: str, message: str = "said by the exchange") -> Payload:
    """The body of a refusal."""
    return {"error": code, "message": message}
