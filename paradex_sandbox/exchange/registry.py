"""Who holds an account, with which keys, money and leverage."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState, copy_account
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import (
    AccountCreated,
    BalanceChanged,
    BalanceChangeKind,
    LeverageChanged,
    MaxSlippageChanged,
    RpiPermissionChanged,
    SubkeyChanged,
)
from paradex_sandbox.exchange.fees import DEFAULT_ACCOUNT_FEES
from paradex_sandbox.exchange.margin import account_margin
from paradex_sandbox.exchange.model import ZERO, Account, Balance, MarginConfig, MarginType, Subkey
from paradex_sandbox.exchange.numbers import q8
from paradex_sandbox.exchange.publishing import flush
from paradex_sandbox.exchange.state import ExchangeState, MarketState, address_key

#: Beyond this, money would not fit the wire's 64 bits with 8 decimals.
MAX_AMOUNT = Decimal(10) ** 10


class AccountRegistry:
    """Changes accounts from outside of trading, and publishes it at once. Refusals are described in `Exchange`."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state

    def create(self, address: str, public_key: str, deposits: Mapping[str, Decimal], parent: str) -> Account:
        state, key = self._state, address_key(address)
        if key <= 0:
            raise ExchangeError("INVALID_STARKNET_ADDRESS", "an account address is a hexadecimal number above zero")
        if key in state.accounts:
            raise ExchangeError("NOT_UNIQUE", f"account {address} exists already")
        for amount in deposits.values():
            _check_amount(amount, ZERO)
        info = Account(address, public_key, state.now, DEFAULT_ACCOUNT_FEES, parent, balances=dict(deposits))
        account = state.accounts[key] = AccountState(info)
        state.events.append(AccountCreated(state.now, address, copy_account(info)))
        self._publish(account)
        return info

    def register_subkey(self, account: AccountState, public_key: str, name: str) -> Subkey:
        key = address_key(public_key)
        if key <= 0:
            raise ExchangeError("PUBLIC_KEY_INVALID", "a public key is a hexadecimal number above zero")
        if key in self._active_keys():
            raise ExchangeError("NOT_UNIQUE", "this key is in use already")
        subkey = account.info.subkeys[public_key] = Subkey(public_key, name, self._state.now)
        return self._subkey_changed(account, subkey)

    def revoke_subkey(self, account: AccountState, public_key: str) -> Subkey:
        key = address_key(public_key)
        for subkey in account.info.subkeys.values():
            if subkey.is_active and address_key(subkey.public_key) == key:
                subkey.revoked_at = self._state.now
                return self._subkey_changed(account, subkey)
        raise ExchangeError("INVALID_SUBKEY", "the account has no such active subkey")

    def deposit(self, account: AccountState, amount: Decimal, token: str) -> Balance:
        state = self._state
        _check_amount(amount, account.info.balances.get(token, ZERO))
        before, after = account.change_balance(token, amount, state.now)
        state.events.append(
            BalanceChanged(
                state.now,
                account.address,
                kind=BalanceChangeKind.DEPOSIT,
                token=token,
                before=before,
                after=after,
            )
        )
        self._publish(account)
        return Balance(token, after, state.now)

    def set_leverage(
        self, account: AccountState, market: MarketState, leverage: int, margin_type: MarginType
    ) -> MarginConfig:
        state, rules, symbol = self._state, market.market, market.symbol
        if margin_type is not MarginType.CROSS:
            raise ExchangeError("MARKET_MARGIN_RESTRICTED", "isolated margin needs an account of its own; use CROSS")
        if not 1 <= leverage <= rules.max_leverage:
            raise ExchangeError("VALIDATION_ERROR", f"leverage of {symbol} must be between 1 and {rules.max_leverage}")
        before, required = account.leverage(rules), account_margin(state, account).initial
        account.info.leverage[symbol] = leverage
        margin = account_margin(state, account)
        if margin.initial > required and margin.value < margin.initial:
            account.info.leverage[symbol] = before
            raise ExchangeError("VALIDATION_ERROR", f"not enough margin for a leverage of {leverage} in {symbol}")
        state.events.append(LeverageChanged(state.now, account.address, symbol, leverage))
        self._publish(account)
        return account.margin_config(rules)

    def set_max_slippage(self, account: AccountState, market: MarketState, max_slippage: Decimal | None) -> None:
        width = market.market.price_bands_width
        if max_slippage is None:
            account.info.max_slippage.pop(market.symbol, None)
        elif max_slippage.is_finite() and 0 < max_slippage <= width:
            account.info.max_slippage[market.symbol] = max_slippage
        else:
            raise ExchangeError("VALIDATION_ERROR", f"max slippage must be above 0 and at most {width}")
        state = self._state
        state.events.append(MaxSlippageChanged(state.now, account.address, market.symbol, max_slippage))

    def allow_rpi(self, account: AccountState, allowed: bool) -> None:
        account.info.rpi_allowed = allowed
        self._state.events.append(RpiPermissionChanged(self._state.now, account.address, allowed))

    def _subkey_changed(self, account: AccountState, subkey: Subkey) -> Subkey:
        self._state.events.append(SubkeyChanged(self._state.now, account.address, replace(subkey)))
        return replace(subkey)

    def _publish(self, account: AccountState) -> None:
        self._state.dirty_accounts[account] = None
        flush(self._state)

    def _active_keys(self) -> set[int]:
        keys = set()
        for account in self._state.accounts.values():
            keys.add(address_key(account.info.public_key))
            keys.update(address_key(s.public_key) for s in account.info.subkeys.values() if s.is_active)
        return keys


def _check_amount(amount: Decimal, held: Decimal) -> None:
    """A deposit, or a withdrawal of not more than what is `held`."""
    if not amount.is_finite() or abs(amount) >= MAX_AMOUNT or q8(amount) != amount:
        raise ExchangeError("VALIDATION_ERROR", f"an amount is a number below {MAX_AMOUNT} with at most 8 decimals")
    if amount < 0 and held + amount < 0:
        raise ExchangeError("VALIDATION_ERROR", f"the balance is only {held}")
