"""What a request is refused with."""

from collections.abc import Mapping
from typing import Any


class ExchangeError(Exception):
    """A request that the exchange refuses at once; the caller sees it as the answer.

    `code` is one of the OpenAPI's `responses.ErrorCode`, `message` a sentence that says what to do, `data` optional
    details. Refusals that come later (margin, post-only, price bands) are no errors but closed orders.
    """

    def __init__(self, code: str, message: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.data = data


class MarketsFileError(Exception):
    """A markets file that cannot be read; the message names the file, the market and the field."""
