"""What an account keeps on the exchange beside its trading: profile, tokens, allow lists. Nothing here moves money."""

import ipaddress
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from paradex_sandbox.storage import Storage

_META_KEY = "account_settings"


@dataclass(slots=True)
class Token:
    """A token of `POST /account/tokens`; times in µs. The token itself is not kept."""

    lookup_id: str
    name: str
    kind: str
    created_at: int
    expires_at: int
    updated_at: int
    revoked_at: int = 0
    allowed_cidrs: list[str] = field(default_factory=list)


@dataclass(slots=True)
class PendingSubkey:
    """A subkey that waits for its activation; the encrypted key is handed back then."""

    name: str
    encrypted_key: str
    eph_public_key: str
    created_at: int
    allowed_cidrs: list[str] = field(default_factory=list)


@dataclass(slots=True)
class AccountSettings:
    """Of one account; subkeys by public key."""

    profile: dict[str, Any] = field(default_factory=dict)
    trading_value_display: str = "SPOT_NOTIONAL"
    notifications: dict[str, bool] = field(default_factory=dict)
    compliance: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, Token] = field(default_factory=dict)
    subkey_names: dict[str, str] = field(default_factory=dict)
    subkey_cidrs: dict[str, list[str]] = field(default_factory=dict)
    pending_subkeys: dict[str, PendingSubkey] = field(default_factory=dict)


class AccountStore:
    """The settings of all accounts; kept in `storage` where there is one."""

    def __init__(self, storage: Storage | None = None):
        self._storage = storage
        self._accounts: dict[str, AccountSettings] = {}
        stored = None if storage is None else storage.get_meta(_META_KEY)
        for address, kept in json.loads(stored).items() if stored else ():
            kept["tokens"] = {key: Token(**token) for key, token in kept["tokens"].items()}
            pending = kept["pending_subkeys"].items()
            kept["pending_subkeys"] = {key: PendingSubkey(**subkey) for key, subkey in pending}
            self._accounts[address] = AccountSettings(**kept)

    def of(self, address: str) -> AccountSettings:
        """The settings of an account; call `save` after changing them."""
        return self._accounts.setdefault(address, AccountSettings())

    def find(self, address: str) -> AccountSettings | None:
        """The settings of an account that has any."""
        return self._accounts.get(address)

    def save(self) -> None:
        """Keeps what was changed."""
        if self._storage is not None:
            accounts = {address: asdict(settings) for address, settings in self._accounts.items()}
            self._storage.set_meta(_META_KEY, json.dumps(accounts))


def contains(cidrs: list[str], ip: str) -> bool:
    """Whether an address is within one of the networks; an empty list allows every address."""
    if not cidrs:
        return True
    address = ipaddress.ip_address(ip)
    networks = (ipaddress.ip_network(cidr) for cidr in cidrs)
    return any(address.version == network.version and address in network for network in networks)
