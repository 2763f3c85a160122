"""What Paradex has and the sandbox has not: each path answers with an error that says so."""

from aiohttp import web

from paradex_sandbox.api.errors import ApiError

#: Path beginnings (whole segments) and what they are about.
FAMILIES = {
    "/vaults": "vaults",
    "/staking": "staking",
    "/xp": "XP",
    "/referrals": "referrals",
    "/rfqs": "requests for quotes",
    "/block-trades": "block trades",
    "/account/paradigm/enable": "requests for quotes",
    "/account/profile/referral_code": "referrals",
    "/account/referrer": "referrals",
}


def routes() -> list[web.RouteDef]:
    """The routes, relative to /v1: every method on every path of the families."""
    found = []
    for path, subject in FAMILIES.items():
        handler = _Refusal(subject).handle
        found += [web.route("*", path, handler), web.route("*", path + "/{tail:.*}", handler)]
    return found


class _Refusal:
    """Refuses whatever is asked about a subject."""

    def __init__(self, subject: str):
        self._subject = subject

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The error."""
        raise ApiError("REQUEST_NOT_ALLOWED", f"the sandbox has no {self._subject}")
