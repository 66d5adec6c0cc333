"""Where Kalshi is, how fast it may be asked, and when to give up on a connection."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

REST_PATH = "/trade-api/v2"
STREAM_PATH = "/trade-api/ws/v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The two doors of one environment."""

    rest_url: str
    stream_url: str


# Kalshi, "API environments": the recommended host of each environment.
_PRODUCTION = Hosts(
    rest_url="https://external-api.kalshi.com" + REST_PATH,
    stream_url="wss://external-api-ws.kalshi.com" + STREAM_PATH,
)
_DEMO = Hosts(
    rest_url="https://external-api.demo.kalshi.co" + REST_PATH,
    stream_url="wss://external-api-ws.demo.kalshi.co" + STREAM_PATH,
)


def hosts_of(environment: str, rest_url: str | None = None, stream_url: str | None = None) -> Hosts:
    """The hosts of ``demo`` or ``production``, each replaced where a URL is given.

    A URL without a path gets the venue's own, so ``http://127.0.0.1:8090`` will do.
    """
    match environment:
        case "production":
            known = _PRODUCTION
        case "demo":
            known = _DEMO
        case _:
            raise ValueError(f"environment {environment!r}: must be demo or production")
    return Hosts(
        rest_url=_whole(rest_url, REST_PATH, ("http", "https")) or known.rest_url,
        stream_url=_whole(stream_url, STREAM_PATH, ("ws", "wss")) or known.stream_url,
    )


def _whole(url: str | None, path: str, schemes: tuple[str, ...]) -> str | None:
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"exchange url must look like {schemes[-1]}://host[:port][{path}]")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestSettings:
    """Limits of one REST client. ``tries`` and the waits between them are for reads only."""

    requests_per_second: float = 10.0
    """Reads never go faster, whatever the account is granted; writes until the grant is known."""
    request_timeout_s: float = 10.0
    write_timeout_s: float = 3.0
    """A write without an answer by then has an unknown outcome."""
    read_deadline_s: float = 45.0
    """For all tries of one read and the waits between them."""
    tries: int = 5
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 8.0
    connections: int = 16
    pages_max: int = 10_000
    subaccount: int = 0
    is_read_only: bool = False
    """Whatever is asked, no write leaves."""

    def __post_init__(self) -> None:
        for name in (
            "requests_per_second",
            "request_timeout_s",
            "write_timeout_s",
            "read_deadline_s",
            "backoff_base_s",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
        for name in ("tries", "connections", "pages_max"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if self.backoff_cap_s < self.backoff_base_s:
            raise ValueError("backoff_cap_s must not be below backoff_base_s")
        if not 0 <= self.subaccount <= 63:  # noqa: PLR2004 - the venue's own range
            raise ValueError("subaccount must be from 0 to 63")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What is subscribed to, and how a subscription is looked after."""

    markets_per_subscription: int = 50
    """One lost frame distrusts the books of one subscription: smaller contains it better."""
    wants_books: bool = True
    wants_trades: bool = True
    wants_private: bool = True
    """Own fills, own orders and order groups."""
    uses_yes_price: bool = True
    """False only reads recordings that were made on the NO leg."""
    command_timeout_us: int = 10_000_000
    snapshot_timeout_us: int = 5_000_000
    retry_min_us: int = 1_000_000
    retry_max_us: int = 30_000_000
    refused_retry_us: int = 60_000_000
    """How long a market the venue refused to subscribe is left out."""

    def __post_init__(self) -> None:
        if self.markets_per_subscription < 1:
            raise ValueError("markets_per_subscription must be at least 1")
        if min(self.command_timeout_us, self.snapshot_timeout_us, self.retry_min_us) <= 0:
            raise ValueError("command, snapshot and retry times must be above 0")
        if self.retry_max_us < self.retry_min_us:
            raise ValueError("retry_max_us must not be below retry_min_us")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """The socket under a session: when it is dead, and how it comes back."""

    failure_threshold: int = 5
    """``WS_FAILURE_THRESHOLD``: this many failed connections in a row open the breaker."""
    failure_cooldown_s: float = 60.0
    """``WS_FAILURE_COOLDOWN_SECONDS``: how long an open breaker waits before the next try."""
    silence_max_s: float = 15.0
    """The venue pings every 10 s; this long without any frame is a dead connection."""
    connect_timeout_s: float = 10.0
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 30.0
    steady_after_s: float = 30.0
    """A connection that lived this long clears the count of failures."""
    tick_s: float = 0.5
    heartbeat_s: float = 60.0
    """``WS_HEARTBEAT_SECONDS``: how often a living connection writes its metric line."""
    frame_bytes_max: int = 16 * 1024 * 1024
    session: SessionSettings = field(default_factory=SessionSettings)

    def __post_init__(self) -> None:
        for name in ("failure_threshold", "frame_bytes_max"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        for name in (
            "failure_cooldown_s",
            "silence_max_s",
            "connect_timeout_s",
            "backoff_base_s",
            "steady_after_s",
            "tick_s",
            "heartbeat_s",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
        if self.backoff_cap_s < self.backoff_base_s:
            raise ValueError("backoff_cap_s must not be below backoff_base_s")
