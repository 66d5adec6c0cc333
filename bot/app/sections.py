"""The sections of the settings: one class for each block of the configuration file."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
)

from bot.alerts.catalogue import text_of
from bot.alerts.streams import Stream
from bot.domain.alert_preferences import NOT_QUIET, QuietHours, Verbosity, quiet_hours
from bot.domain.alerts import AlertKind
from bot.domain.operations import Severity

Mode = Literal["collect", "analyze", "trade"]
Percent = Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)]
Dollars = Annotated[Decimal, Field(ge=0, decimal_places=6)]
UnitPrice = Annotated[Decimal, Field(gt=0, lt=1, decimal_places=4)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
EventStatus = Literal["unopened", "open", "closed", "settled"]
StreamChannel = Literal["ticker", "trade", "orderbook_delta", "market_lifecycle_v2"]


def _period(value: int) -> int:
    if value and not 60 <= value <= 86_400:  # noqa: PLR2004 - a minute, a day
        raise ValueError("must be 0 (off), or between 60 and 86400 seconds")
    return value


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be the name of a time zone in the form area/city, or UTC") from None
    return name


Period = Annotated[int, Field(ge=0), AfterValidator(_period)]
ZoneName = Annotated[str, AfterValidator(_zone)]


class _Section(BaseModel):
    """Unknown names are faults: a typing mistake must not leave a default in force."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Secrets(_Section):
    """From the environment only. ``repr`` hides the values."""

    kalshi_key_id: SecretStr | None = None
    kalshi_private_key: SecretStr | None = None
    kalshi_private_key_path: Path | None = None
    telegram_bot_token: SecretStr | None = None
    openai_api_key: SecretStr | None = None
    anthropic_api_key: SecretStr | None = None
    portal_token: SecretStr | None = None
    # No secret in itself: often it is the address that alerts come from and go to.
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    webhook_url: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    ping_url: SecretStr | None = None

    def values(self) -> tuple[str, ...]:
        """Every secret text, for the log redaction."""
        found = (getattr(self, name) for name in type(self).model_fields)
        return tuple(one.get_secret_value() for one in found if isinstance(one, SecretStr))


class Account(_Section):
    """Whose money: a name of your choice and Kalshi's subaccount number."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = "main"
    subaccount: Annotated[int, Field(ge=0, le=63)] = 0


class Deployment(_Section):
    """Where this process runs; Railway sets these by itself."""

    environment: str | None = None
    durable_disk: bool | None = None
    """Whether files survive a deploy; not known: yes, except on Railway without a volume."""
    volume_path: Path | None = None
    deployment_id: str | None = None
    replica_id: str | None = None
    draining_s: int | None = None
    overlap_s: int | None = None
    healthcheck_timeout_s: int | None = None


class ExchangeSection(_Section):
    """Which Kalshi, and how fast we may ask it."""

    environment: Literal["demo", "production"] = "demo"
    rest_url: str | None = None
    ws_url: str | None = None
    requests_per_second: Annotated[float, Field(gt=0, le=1000)] = 10
    request_timeout_s: Seconds = 10
    retries: Annotated[int, Field(ge=1, le=10)] = 5
    # Rounds (REST) and connections (WebSocket) that fail in a row, and how long to rest then.
    rest_failure_threshold: Count = 5
    rest_cooldown_s: Seconds = 60
    ws_failure_threshold: Count = 5
    ws_cooldown_s: Seconds = 60


class DatabaseSection(_Section):
    """SQLite for one machine, PostgreSQL for everything else."""

    url: SecretStr = SecretStr("sqlite:///var/kalshi.sqlite")
    synchronous: Literal["FULL", "NORMAL"] = "FULL"

    @property
    def is_sqlite(self) -> bool:
        """Whether the host lock decides who leads."""
        return self.url.get_secret_value().startswith("sqlite")


class CollectSection(_Section):
    """What the hourly cycle records. An empty list means the macro default series."""

    series: tuple[str, ...] = ()
    reports_dir: Path = Path("reports")
    status_file: Path = Path("status.json")
    page_limit: Annotated[int, Field(ge=1, le=1000)] = 1000
    concurrency: Annotated[int, Field(ge=1, le=32)] = 4
    retry_s: Seconds = 300
    """A cycle that failed or was partial is tried again after this, while its hour lasts."""
    whole_exchange: bool = False
    """Every other open market too, within ``storage_budget_gib`` and for ``retention_days``."""
    whole_every_hours: Annotated[int, Field(ge=1, le=168)] = 24
    """How often all of them are read; in between only what the venue updated."""
    expected_markets: Count = 125_000
    """What the room that is needed is estimated from."""
    storage_budget_gib: Annotated[int, Field(ge=1)] | None = None
    retention_days: Annotated[int, Field(ge=0, le=3_650)] = 0
    """Snapshots of the rest of the exchange go after so many days; 0 keeps them for ever."""
    series_retention_days: Annotated[int, Field(ge=0, le=3_650)] = 0
    """The same for the configured series."""
    retention_keeps_last: bool = True
    """Keep each market's newest snapshot that calibration can use, however old."""


class HistorySection(_Section):
    """Discovery of events and markets, backfill of candles and trades, and settlements.

    The series are those of ``collect.series``. A period of 0 leaves that job out.
    """

    discovery_s: Period = 1_800
    discovery_statuses: tuple[EventStatus, ...] = ("open",)
    discovery_heartbeat_s: Count = 60
    full_discovery_s: Annotated[int, Field(ge=0)] = 86_400
    """Everything is listed again after so long; in between only what changed."""
    backfill_s: Period = 900
    minutes_for_hour: Literal[1, 60, 1440] = 1
    minutes_for_day: Literal[1, 60, 1440] = 60
    minutes_for_other: Literal[1, 60, 1440] = 60
    lookback_h: Count = 72
    """How far the first backfill of a market reaches back; `bot backfill` reads the rest."""
    closed_cleanup_s: Period = 3_600
    grace_minutes: Annotated[int, Field(ge=0)] = 30
    """How long after its close a market is asked for its result."""
    horizons_minutes: tuple[Count, ...] = (5, 15, 60, 360, 1_440, 10_080)
    """How long before its close a market's prices enter the ledger."""
    retention_days: Annotated[int, Field(ge=0, le=3_650)] = 0
    """Candles and public trades go after so many days; 0 keeps them for ever."""


class BackupSection(_Section):
    """Where backups go and how many are kept."""

    dir: Path = Path("backups")
    keep: Count = 14
    hour_utc: Annotated[int, Field(ge=0, le=23)] = 2
    stream: bool = False
    """Whether the nightly backup holds ticks and order books too."""


class RecorderSection(_Section):
    """Raw frames of the stream, kept in files: what decisions are replayed from."""

    enabled: bool | None = None
    """By default in mode trade."""
    dir: Path = Path("var/recordings")
    budget_mb: Annotated[int, Field(ge=16)] = 1024
    """For all recordings together; the oldest go first."""
    keep_days: Annotated[float, Field(gt=0)] = 14
    min_free_mb: Annotated[int, Field(ge=0)] = 512
    """Recording stops, with an alert, while the disk has less; trading goes on."""


class StreamSection(_Section):
    """The live stream in the database: ticks, trades, order books, lifecycle events."""

    enabled: bool | None = None
    """By default in mode trade, where the stream runs anyway; in mode collect it needs a key."""
    channels: frozenset[StreamChannel] = frozenset(
        ("ticker", "trade", "orderbook_delta", "market_lifecycle_v2")
    )
    """What mode collect subscribes to; mode trade needs all of them."""
    max_active_tickers: Annotated[int, Field(ge=1, le=100_000)] = 5_000
    round_robin: bool = True
    """Whether markets above the limit take turns, else those first by name are watched."""
    refresh_s: Annotated[float, Field(ge=1)] = 60
    shard_count: Count = 1
    shard_id: Annotated[int, Field(ge=0)] = 0
    shard_key: Literal["event", "market"] = "event"
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    flush_s: Seconds = 1
    queue_max: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    backpressure: Literal["drop", "block", "throttle", "resubscribe"] = "drop"
    dedup: bool = True
    heartbeat_s: Seconds = 60
    retention_days: Annotated[float, Field(ge=0)] = 0
    """Ticks and books older than this are dropped; 0 keeps them for ever."""
    min_free_mb: Annotated[int, Field(ge=0)] = 256
    """SQLite: nothing is stored while the disk has less; orders need the room."""


class LeadershipSection(_Section):
    """Lease timings in seconds; their inequalities are checked when the terms are built."""

    lease_s: Seconds = 15
    renew_s: Seconds = 2
    database_timeout_s: Seconds = 2
    gate_s: Seconds = 8
    stop_s: Seconds = 11
    watchdog_s: Seconds = 12
    order_timeout_s: Seconds = 3
    drain_s: Seconds = 10
    retry_s: Seconds = 0.5
    poll_s: Seconds = 1
    settle_s: Seconds = 5
    allow_foreign_host: bool = False
    """Whether a start off the platform may move the lead to this machine (--lead-anyway)."""


class OperatorSection(_Section):
    """The person at the other end."""

    time_zone: ZoneName = "UTC"
    """The clock on the operator's wall, by its IANA name: times in the chat are of this zone."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone itself."""
        return ZoneInfo(self.time_zone)


def _hours(value: object) -> object:
    # YAML reads off as false.
    value = "off" if value is False else value
    return quiet_hours(value) if isinstance(value, str) else value


def _level(value: object) -> object:
    # YAML reads on and off as true and false.
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _mutable(levels: dict[AlertKind, Verbosity]) -> dict[AlertKind, Verbosity]:
    vital = sorted(kind.value for kind in levels if text_of(kind).is_vital)
    if vital:
        raise ValueError(f"{', '.join(vital)} always interrupts; leave it out")
    return levels


Levels = Annotated[
    dict[AlertKind, Annotated[Verbosity, BeforeValidator(_level)]], AfterValidator(_mutable)
]
Hours = Annotated[QuietHours, BeforeValidator(_hours)]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class AlertsSection(_Section):
    """How alerts interrupt; ``/verbosity`` and ``/quiet`` in the chat change it for good."""

    verbosity: Levels = {}
    """By kind: ``on``, ``silent`` or ``off``; see ``/verbosity`` for the kinds."""
    quiet_hours: Hours = NOT_QUIET
    """``23-07`` of the operator's day: notices wait for the morning, warnings make no sound."""
    summary_at: TimeOfDay = "08:00"
    """When the day that ended is told, on the operator's clock."""


class WatchSection(_Section):
    """What is watched for the operator, and how far ahead it is told."""

    win_rate_trades: Annotated[int, Field(ge=10, le=50)] = 50
    """The win rate is that of so many closed positions, the newest ones."""
    win_rate_trades_min: Annotated[int, Field(ge=5, le=50)] = 20
    """With fewer it is shown, and not judged."""
    expiry_days: Annotated[float, Field(gt=0, le=365)] = 7
    """So long ahead an expiry of the API key or of the location attestation is told."""
    api_key_expires: AwareDatetime | None = None
    """Kalshi's API does not tell when a key ends: set here what was agreed for it, if anything."""
    pause_ahead_minutes: Annotated[float, Field(ge=0, le=1_440)] = 30
    """So long ahead a planned pause of the exchange is told, once; 0 is off."""
    nobody_leads_s: Annotated[float, Field(ge=0, le=86_400)] = 60
    """So long nobody may lead before whoever is alive tells it; 0 is off."""


class TelegramSection(_Section):
    """Who may speak to the bot (user ids) and where alerts go (chat ids)."""

    admin_ids: tuple[int, ...] = ()
    trader_ids: tuple[int, ...] = ()
    viewer_ids: tuple[int, ...] = ()
    group_ids: tuple[int, ...] = ()
    alert_chat_ids: tuple[int, ...] = ()
    alert_topics: dict[Stream, Annotated[int, Field(gt=0)]] = {}
    """Topics of a group with topics, by stream of alerts: fills, risk, system."""
    api_url: str = "https://api.telegram.org"


class EmailSection(_Section):
    """Alerts by e-mail, once ``host`` is set. The login is among the secrets."""

    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] | None = None
    """By default by the port: tls on 465, else starttls."""
    sender: str | None = None
    """By default the login, where that is an address."""
    recipients: tuple[str, ...] = ()
    min_severity: Severity = Severity.WARNING
    also: frozenset[AlertKind] = frozenset((AlertKind.DAILY_SUMMARY,))
    """Mailed although less severe."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's, for a server of your own."""
    unencrypted_allowed: bool = False
    """Whether ``security: none`` may reach beyond this machine."""


class WebhookSection(_Section):
    """Alerts posted to a web address, once ALERT_WEBHOOK_URL is set."""

    format: Literal["json", "slack", "discord"] = "json"
    min_severity: Severity = Severity.INFO


class PingSection(_Section):
    """The dead man's switch, once ALERT_PING_URL is set: it raises the alarm when we are gone."""

    every_s: Annotated[float, Field(ge=10, le=3_600)] = 60
    signals: bool = False
    """Whether the address also takes ``/start`` and ``/fail``, as healthchecks.io does."""


class WebSection(_Section):
    """The HTTP server: health, status and the portal."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    stale_after_s: Seconds = 7200
    public_url: str | None = None
    """Where people reach the page from outside; ``/web`` tells it."""
    discovery_stale_s: Seconds | None = None
    """How old discovery may be; by default twice its period, and at least 600 s."""
    backfill_stale_s: Seconds | None = None
    """The same of the backfill."""


class LogSection(_Section):
    """Log lines: level, form and place."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    http_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = None
    format: Literal["auto", "text", "json"] = "auto"
    dir: Path | None = None
    file: Path | None = None
    stdout: bool = True


class TradingSection(_Section):
    """Mode ``trade``: paper unless ``live`` and its environment are named."""

    live: bool = False
    live_environment: str | None = None
    read_only: bool = False
    """Watch the account of the key: positions and fills are kept and told, nothing is ever sent."""
    starts_unhalted: bool = False
    paper_cash: Dollars = Decimal(10_000)
    traded_by_hand_too: bool = False
    strategies: dict[str, dict[str, int]] = {"near_expiry": {}}
    # Which markets are watched; every open market of the series in ``always_watch`` is.
    always_watch: tuple[str, ...] = ()
    probability_min: UnitPrice = Decimal("0.85")
    probability_max: UnitPrice = Decimal("0.98")
    min_liquidity: Dollars = Decimal(500)
    min_volume_24h: Dollars = Decimal(10_000)
    max_spread: UnitPrice = Decimal("0.02")
    min_minutes_to_close: Seconds = 10
    max_hours_to_close: Seconds = 6
    max_watched: Count = 200
    refresh_s: Seconds = 60
    rehearse_every_ms: Annotated[int, Field(ge=0, le=1_000)] = 4
    """How often the way of an order is gone in vain while nothing happens, so that the next
    one is quick; 0 is never."""
    rehearse_percent: Annotated[int, Field(ge=1, le=50)] = 3
    """How much of one processor that may take. More of it makes an order quicker."""
    # How much may be risked; percent of equity.
    order_cost_max: Dollars = Decimal(100)
    market_max_pct: Percent = Decimal(5)
    event_max_pct: Percent = Decimal(10)
    series_max_pct: Percent = Decimal(15)
    release_group_max_pct: Percent = Decimal(20)
    total_max_pct: Percent = Decimal(30)
    max_concurrent: Count = 10
    # How a position is left; 0 is off. Prices in dollars of the held side.
    trail_stop_by: Annotated[Decimal, Field(ge=0, lt=1, decimal_places=4)] = Decimal(0)
    time_stop_minutes: Annotated[float, Field(ge=0)] = 0
    no_stop_minutes: Annotated[float, Field(ge=0)] = 10
    sell_minutes_before_close: Annotated[float, Field(ge=0)] = 0
    releases: dict[str, tuple[AwareDatetime, ...]] = {}
    """When figures are published, by release group: ``cpi: [2026-12-10T08:30:00-05:00]``."""
    # The first steps with real money; each is raised by hand once you have seen it work.
    live_order_cost_max: Dollars = Decimal(5)
    live_total_cost_max: Dollars = Decimal(50)
    approve_first: Annotated[int, Field(ge=0)] | None = None
    """So many orders, ever, wait for ``/approve``; by default 10 live, none on paper and demo."""
    approve_above_dollars: Dollars = Decimal(0)
    """An entry that may cost more, with its fee, waits for ``/approve``; 0 is off."""
    approval_seconds: Annotated[float, Field(ge=10, le=3_600)] = 300
    """How long a question waits; unanswered it expires, and nothing is bought."""
    max_proposals: Annotated[int, Field(ge=1, le=50)] = 3
    """So many questions wait at a time. What needs no yes is not held up by them."""
    max_open_orders: Count = 40
    max_entries_per_minute: Count = 20
    price_min: UnitPrice = Decimal("0.02")
    price_max: UnitPrice = Decimal("0.98")
    group_contracts_max: Count | None = None
    """Contracts of ours traded within 15 s at which the exchange itself cancels our orders;
    by default three times the largest order."""
    # When trading stops by itself; at exactly the limit it stops.
    daily_loss_pct: Percent = Decimal(5)
    consecutive_losses: Count = 5
    api_error_pct: Percent = Decimal(10)
    websocket_silence_s: Seconds = 15
