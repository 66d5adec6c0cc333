"""Who may see the page: this machine's own browser, or whoever holds the token."""

import hashlib
import hmac
from ipaddress import ip_address

from aiohttp import web

SESSION_COOKIE = "bot_session"
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


class Access:
    """Loopback without a token, everywhere else only with it."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    @property
    def session(self) -> str:
        """What the cookie of a signed-in browser holds; says nothing about the token."""
        key = (self._token or "").encode()
        return hmac.new(key, b"portal session", hashlib.sha256).hexdigest()

    def is_token(self, given: str) -> bool:
        """Whether this is the token."""
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def allows(self, request: web.Request) -> bool:
        """Whether the request may read the status and use the chat."""
        if self._token is None:
            return _is_local(request)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given):
            return True
        return hmac.compare_digest(request.cookies.get(SESSION_COOKIE, ""), self.session)

    def allows_acting(self, request: web.Request) -> bool:
        """Whether the request may also act: no other site can have caused it."""
        return self.allows(request) and request.content_type == "application/json"


def _is_local(request: web.Request) -> bool:
    # The Host check keeps a foreign page from reaching us through a name it controls.
    name = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
    if name not in _LOCAL_NAMES:
        return False
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
