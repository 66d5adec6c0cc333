"""Settings: defaults, then a file, then the environment, then the command line.

The only module that reads the environment; ``settings_file`` reads the file. Secrets come
from the environment (or ``config/secrets.env``) alone; one found in the file is
an error. Every fault is found at once and told with its fix. People write
dollars, percent and seconds here; the packages get integers with units.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, Field, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, InitSettingsSource, SettingsConfigDict
from pydantic_settings.sources import PydanticBaseSettingsSource
from typing_extensions import override

from bot.adapters.storage.urls import parse_address
from bot.app.sections import (
    Account,
    AlertsSection,
    BackupSection,
    CollectSection,
    DatabaseSection,
    Deployment,
    EmailSection,
    ExchangeSection,
    HistorySection,
    LeadershipSection,
    LogSection,
    Mode,
    OperatorSection,
    PingSection,
    RecorderSection,
    Secrets,
    StreamSection,
    TelegramSection,
    TradingSection,
    WatchSection,
    WebhookSection,
    WebSection,
)
from bot.app.settings_file import DEFAULT_SECRETS_FILE, read_file
from bot.domain.errors import ConfigurationFault
from bot.domain.ids import Scope

# The names the operations documents use, and where each belongs. Earlier names win.
DOCUMENTED_NAMES: tuple[tuple[str, str], ...] = (
    ("KALSHI_API_KEY_ID", "secrets.kalshi_key_id"),
    ("KALSHI_API_KEY", "secrets.kalshi_key_id"),
    ("KALSHI_PRIVATE_KEY", "secrets.kalshi_private_key"),
    ("KALSHI_PRIVATE_KEY_PATH", "secrets.kalshi_private_key_path"),
    ("KALSHI_PRIVATE_KEY_PEM_PATH", "secrets.kalshi_private_key_path"),
    ("TELEGRAM_BOT_TOKEN", "secrets.telegram_bot_token"),
    ("OPENAI_API_KEY", "secrets.openai_api_key"),
    ("ANTHROPIC_API_KEY", "secrets.anthropic_api_key"),
    ("WEB_PORTAL_PASSWORD", "secrets.portal_token"),
    ("WEB_PORTAL_DISCOVERY_STALE_SECONDS", "web.discovery_stale_s"),
    ("WEB_PORTAL_BACKFILL_STALE_SECONDS", "web.backfill_stale_s"),
    ("DATABASE_UNPOOLED_URL", "database.url"),
    ("DATABASE_URL", "database.url"),
    ("KALSHI_ENVIRONMENT", "exchange.environment"),
    ("KALSHI_REST_URL", "exchange.rest_url"),
    ("KALSHI_WS_URL", "exchange.ws_url"),
    ("REST_FAILURE_THRESHOLD", "exchange.rest_failure_threshold"),
    ("REST_CIRCUIT_BREAKER_SECONDS", "exchange.rest_cooldown_s"),
    ("WS_FAILURE_THRESHOLD", "exchange.ws_failure_threshold"),
    ("WS_FAILURE_COOLDOWN_SECONDS", "exchange.ws_cooldown_s"),
    ("DISCOVERY_SECONDS", "history.discovery_s"),
    ("DISCOVERY_EVENT_STATUSES", "history.discovery_statuses"),
    ("DISCOVERY_HEARTBEAT_SECONDS", "history.discovery_heartbeat_s"),
    ("BACKFILL_SECONDS", "history.backfill_s"),
    ("CANDLE_MINUTES_FOR_HOUR", "history.minutes_for_hour"),
    ("CANDLE_MINUTES_FOR_DAY", "history.minutes_for_day"),
    ("CANDLE_LOOKBACK_HOURS", "history.lookback_h"),
    ("CLOSED_CLEANUP_SECONDS", "history.closed_cleanup_s"),
    ("CLOSED_CLEANUP_GRACE_MINUTES", "history.grace_minutes"),
    ("OPERATOR_TIME_ZONE", "operator.time_zone"),
    ("TELEGRAM_ADMIN_IDS", "telegram.admin_ids"),
    ("TELEGRAM_TRADER_IDS", "telegram.trader_ids"),
    ("TELEGRAM_VIEWER_IDS", "telegram.viewer_ids"),
    ("TELEGRAM_CHAT_ID", "telegram.alert_chat_ids"),
    ("TELEGRAM_API_URL", "telegram.api_url"),
    ("SMTP_HOST", "email.host"),
    ("SMTP_PORT", "email.port"),
    ("SMTP_USER", "secrets.smtp_user"),
    ("SMTP_PASSWORD", "secrets.smtp_password"),
    ("SMTP_FROM", "email.sender"),
    ("SMTP_SECURITY", "email.security"),
    ("ALERT_EMAIL", "email.recipients"),
    ("ALERT_WEBHOOK_URL", "secrets.webhook_url"),
    ("ALERT_WEBHOOK_SECRET", "secrets.webhook_secret"),
    ("ALERT_WEBHOOK_FORMAT", "webhook.format"),
    ("ALERT_PING_URL", "secrets.ping_url"),
    ("PORT", "web.port"),
    ("WEB_PUBLIC_URL", "web.public_url"),
    ("RAILWAY_PUBLIC_DOMAIN", "web.public_url"),
    ("SERVICE_HEALTH_PORT", "web.port"),
    ("RECORDER_ENABLED", "recorder.enabled"),
    ("KALSHI_WS_ENABLE", "stream.enabled"),
    ("KALSHI_WS_CHANNELS", "stream.channels"),
    ("MAX_ACTIVE_TICKERS", "stream.max_active_tickers"),
    ("WS_ACTIVE_ROUND_ROBIN", "stream.round_robin"),
    ("WS_SUB_REFRESH_SECONDS", "stream.refresh_s"),
    ("WS_SHARD_COUNT", "stream.shard_count"),
    ("WS_SHARD_ID", "stream.shard_id"),
    ("WS_SHARD_KEY", "stream.shard_key"),
    ("WS_DB_BATCH_SIZE", "stream.batch_size"),
    ("WS_DB_FLUSH_SECONDS", "stream.flush_s"),
    ("WS_QUEUE_MAXSIZE", "stream.queue_max"),
    ("WS_QUEUE_BACKPRESSURE", "stream.backpressure"),
    ("WS_TICK_DEDUP_ENABLE", "stream.dedup"),
    ("WS_HEARTBEAT_SECONDS", "stream.heartbeat_s"),
    ("TICKS_RETENTION_DAYS", "stream.retention_days"),
    ("RECORDER_DIR", "recorder.dir"),
    ("RECORDER_BUDGET_MB", "recorder.budget_mb"),
    ("RECORDER_KEEP_DAYS", "recorder.keep_days"),
    ("RECORDER_MIN_FREE_MB", "recorder.min_free_mb"),
    ("LOG_LEVEL", "log.level"),
    ("LOG_HTTP_LEVEL", "log.http_level"),
    ("LOG_FORMAT", "log.format"),
    ("LOG_DIR", "log.dir"),
    ("LOG_FILE", "log.file"),
    ("LOG_STDOUT", "log.stdout"),
    ("ENABLE_LIVE_TRADING", "trading.live"),
    ("LIVE_ENVIRONMENT", "trading.live_environment"),
    ("RAILWAY_ENVIRONMENT_NAME", "deployment.environment"),
    ("ENVIRONMENT", "deployment.environment"),
    ("RAILWAY_DEPLOYMENT_ID", "deployment.deployment_id"),
    ("RAILWAY_REPLICA_ID", "deployment.replica_id"),
    ("RAILWAY_DEPLOYMENT_DRAINING_SECONDS", "deployment.draining_s"),
    ("RAILWAY_DEPLOYMENT_OVERLAP_SECONDS", "deployment.overlap_s"),
    ("RAILWAY_HEALTHCHECK_TIMEOUT_SEC", "deployment.healthcheck_timeout_s"),
    ("RAILWAY_VOLUME_MOUNT_PATH", "deployment.volume_path"),
)
_PREFIX = "BOT_"
_LISTS = {
    "history.discovery_statuses",
    "telegram.admin_ids",
    "telegram.trader_ids",
    "telegram.viewer_ids",
    "telegram.alert_chat_ids",
    "email.recipients",
    "stream.channels",
}


class BotSettings(BaseSettings):
    """Everything an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
    )

    mode: Mode = "collect"
    dry_run: bool = False
    lock_file: Path | None = None
    lock_wait_s: Annotated[float, Field(ge=0)] = 0
    secrets: Secrets = Secrets()
    account: Account = Account()
    deployment: Deployment = Deployment()
    exchange: ExchangeSection = ExchangeSection()
    database: DatabaseSection = DatabaseSection()
    collect: CollectSection = CollectSection()
    history: HistorySection = HistorySection()
    trading: TradingSection = TradingSection()
    backup: BackupSection = BackupSection()
    recorder: RecorderSection = RecorderSection()
    stream: StreamSection = StreamSection()
    leadership: LeadershipSection = LeadershipSection()
    operator: OperatorSection = OperatorSection()
    alerts: AlertsSection = AlertsSection()
    watch: WatchSection = WatchSection()
    telegram: TelegramSection = TelegramSection()
    email: EmailSection = EmailSection()
    webhook: WebhookSection = WebhookSection()
    ping: PingSection = PingSection()
    web: WebSection = WebSection()
    log: LogSection = LogSection()

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def origins(self) -> Mapping[str, str]:
        """Where what is no default was given: ``command line``, a variable, or ``file``."""
        return self._origins

    @property
    def trading_mode(self) -> Literal["live", "demo", "paper", "watch"]:
        """What happens to an order: real money, Kalshi's demo money, none; or none is sent."""
        if self.trading.read_only:
            return "watch"
        if not self.trading.live:
            return "paper"
        return "live" if self.exchange.environment == "production" else "demo"

    @property
    def is_recording(self) -> bool:
        """Whether raw frames are kept: a bot that trades should be able to show what it saw."""
        chosen = self.recorder.enabled
        return self.mode == "trade" if chosen is None else chosen

    @property
    def is_streaming(self) -> bool:
        """Whether what the stream says is stored in the database."""
        chosen = self.stream.enabled
        return self.mode == "trade" if chosen is None else chosen

    @property
    def scope(self) -> Scope:
        """The key of the lead, of every halt, order and position."""
        return Scope(f"{self.trading_mode}:{self.account.name}:{self.account.subaccount}")


def load_settings(
    config_file: Path | None = None, overrides: Mapping[str, object] | None = None
) -> BotSettings:
    """Read and check everything.

    ``overrides`` are dotted names from the command line (``{"log.level": "DEBUG"}``).

    Raises:
        ConfigurationFault: with one line for every fault found.
    """
    faults: list[str] = []
    environ = _environment(faults)
    from_file = read_file(config_file, faults)
    documented = _documented(environ)
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        settings = _build(_nest(given), _merge(from_file, documented))
    except ValidationError as error:
        faults.extend(_explain(one) for one in error.errors())
        raise ConfigurationFault(faults) from None
    faults.extend(_inconsistencies(settings))
    if faults:
        raise ConfigurationFault(faults)
    settings._origins.update(_origins(from_file, environ, given))  # noqa: SLF001 - its only maker
    return settings


def process_environment() -> dict[str, str]:
    """A copy of the environment, for processes we start."""
    return dict(os.environ)


def runs_under_journald() -> bool:
    """Whether systemd connected our output to the journal (systemd.exec(5))."""
    return "JOURNAL_STREAM" in os.environ


def _build(overrides: dict[str, object], lower: dict[str, object]) -> BotSettings:
    """Command line over ``BOT_...`` variables over documented names over the file."""

    class Loaded(BotSettings):
        @classmethod
        @override
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, lower)

    return Loaded(**overrides)  # type: ignore[arg-type]  # pydantic checks the values


def _environment(faults: list[str]) -> dict[str, str]:
    """The process environment, on top of the secrets file where there is one."""
    path = Path(os.environ.get("ENV_FILE", DEFAULT_SECRETS_FILE))
    values: dict[str, str] = {}
    if path.is_file():
        try:
            values = {key: value for key, value in dotenv_values(path).items() if value}
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{path}: cannot be read ({error}); fix its permissions or encoding")
    return values | dict(os.environ)


def _documented(environ: Mapping[str, str]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for variable, name in DOCUMENTED_NAMES:
        value = environ.get(variable, "").strip()
        if not value or name in flat:
            continue
        flat[name] = value.replace(",", " ").split() if name in _LISTS else value
    if "web.port" in flat and environ.get("PORT") and "RAILWAY_DEPLOYMENT_ID" in environ:
        # A platform that assigns the port also probes it from outside.
        flat["web.host"] = "0.0.0.0"  # noqa: S104 - the platform's health check comes from outside
    return _nest(flat)


def _origins(
    from_file: Mapping[str, object], environ: Mapping[str, str], given: Mapping[str, object]
) -> dict[str, str]:
    """Where each setting that was given was given last; what wins comes later."""
    found = dict.fromkeys(_flat(from_file), "file")
    for variable, name in reversed(DOCUMENTED_NAMES):
        if environ.get(variable, "").strip():
            found[name] = variable
    for variable in os.environ:
        if variable.upper().startswith(_PREFIX):
            name = variable[len(_PREFIX) :].lower().replace("__", ".")
            found[name] = variable
    return found | dict.fromkeys(given, "command line")


def _flat(nested: Mapping[str, object], prefix: str = "") -> list[str]:
    names: list[str] = []
    for key, value in nested.items():
        name = f"{prefix}{key}"
        names += _flat(value, f"{name}.") if isinstance(value, dict) and value else [name]
    return names


def _nest(flat: Mapping[str, object]) -> dict[str, object]:
    nested: dict[str, object] = {}
    for name, value in flat.items():
        *sections, leaf = name.split(".")
        place = nested
        for section in sections:
            inner = place.setdefault(section, {})
            assert isinstance(inner, dict)
            place = inner
        place[leaf] = value
    return nested


def _merge(low: Mapping[str, object], high: Mapping[str, object]) -> dict[str, object]:
    merged = dict(low)
    for key, value in high.items():
        under = merged.get(key)
        both = isinstance(under, dict) and isinstance(value, dict)
        merged[key] = _merge(under, value) if both else value  # type: ignore[arg-type]
    return merged


def _explain(error: ErrorDetails) -> str:
    # The place in a list is no name that anybody could set.
    path = [part for part in error["loc"] if isinstance(part, str)]
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        return f"{name}: unknown setting{_nearest(path)}"
    variables = [variable for variable, place in DOCUMENTED_NAMES if place == name]
    nested = "BOT_" + "__".join(path).upper()
    where = " or ".join([name, *variables, nested])
    shown = "" if path[0] == "secrets" or name == "database.url" else f" (got {error['input']!r})"
    return f"{name}: {error['msg'].lower()}{shown}; set {where}"


def _nearest(path: list[str]) -> str:
    model: type[BaseModel] = BotSettings
    for part in path[:-1]:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        model = annotation
    close = difflib.get_close_matches(path[-1], list(model.model_fields), n=1)
    known = ", ".join(model.model_fields)
    return f"; did you mean {close[0]}?" if close else f"; known here: {known}"


def _inconsistencies(settings: BotSettings) -> list[str]:
    faults = _address_faults(settings)
    secrets, trading = settings.secrets, settings.trading
    has_key = secrets.kalshi_private_key or secrets.kalshi_private_key_path
    if bool(secrets.kalshi_key_id) != bool(has_key):
        missing = (
            "KALSHI_PRIVATE_KEY or KALSHI_PRIVATE_KEY_PATH"
            if secrets.kalshi_key_id
            else "KALSHI_API_KEY_ID"
        )
        faults.append(f"{missing} is missing: a key id and its private key go together")
    if settings.mode == "trade" and not secrets.kalshi_key_id:
        faults.append(
            "mode trade needs KALSHI_API_KEY_ID and KALSHI_PRIVATE_KEY(_PATH): "
            "Kalshi's live feed is signed, on paper too"
        )
    if trading.live and settings.mode != "trade":
        faults.append(
            "live trading is enabled but mode is not trade; set --mode trade or drop the switch"
        )
    if trading.live and trading.read_only:
        faults.append("trading.live and trading.read_only exclude one another; drop one of them")
    if settings.dry_run and settings.mode != "trade":
        faults.append("a dry run is for mode trade, whose orders it holds back; add --mode trade")
    faults.extend(_stream_faults(settings))
    if settings.trading_mode == "live":
        faults.extend(_live_faults(settings))
    if settings.mode == "analyze" and not (secrets.openai_api_key or secrets.anthropic_api_key):
        faults.append("mode analyze needs OPENAI_API_KEY or ANTHROPIC_API_KEY in the environment")
    return faults


def _address_faults(settings: BotSettings) -> list[str]:
    try:
        parse_address(settings.database.url.get_secret_value())
    except ConfigurationFault as fault:
        return list(fault.faults)
    return []


def _stream_faults(settings: BotSettings) -> list[str]:
    section = settings.stream
    faults = []
    if section.shard_id >= section.shard_count:
        faults.append(
            f"stream.shard_id: {section.shard_id} must be below stream.shard_count"
            f" {section.shard_count}; set WS_SHARD_ID and WS_SHARD_COUNT"
        )
    if section.batch_size > section.queue_max:
        faults.append(
            f"stream.batch_size: {section.batch_size} must not be above stream.queue_max"
            f" {section.queue_max}; set WS_DB_BATCH_SIZE or WS_QUEUE_MAXSIZE"
        )
    if settings.mode == "trade" and settings.is_streaming and section.backpressure != "drop":
        faults.append(
            f"stream.backpressure: {section.backpressure} would hold up the stream that is traded"
            " on; in mode trade leave WS_QUEUE_BACKPRESSURE at drop"
        )
    if settings.mode == "collect" and settings.is_streaming and not settings.secrets.kalshi_key_id:
        faults.append(
            "KALSHI_WS_ENABLE needs KALSHI_API_KEY_ID and KALSHI_PRIVATE_KEY(_PATH): "
            "Kalshi's live feed is signed"
        )
    return faults


def _live_faults(settings: BotSettings) -> list[str]:
    named, running = settings.trading.live_environment, settings.deployment.environment
    if named and named == running:
        return []
    fault = (
        f"live trading needs LIVE_ENVIRONMENT to equal the running environment's name "
        f"(LIVE_ENVIRONMENT={named or 'unset'}, ENVIRONMENT={running or 'unset'}), "
        "so that a copy of production never trades"
    )
    return [fault]
