"""Makes the concrete parts from the settings: exchange, terms, identities."""

import platform
from pathlib import Path

from bot import __version__
from bot.adapters.kalshi.gateway import KalshiExchange, KalshiFeed
from bot.adapters.kalshi.settings import (
    Hosts,
    RestSettings,
    SessionSettings,
    StreamSettings,
    hosts_of,
)
from bot.adapters.kalshi.signing import Signer, load_signer
from bot.app.basics import Means
from bot.app.settings import BotSettings
from bot.collect.history_settings import HistorySettings
from bot.collect.macro_filter import MACRO_SERIES
from bot.collect.settings import CollectSettings
from bot.collect.storage_need import GIB
from bot.domain.errors import ConfigurationFault
from bot.domain.ids import InstanceId, SeriesTicker
from bot.domain.leadership import OFF_PLATFORM, Candidate
from bot.leadership.lease import LeaseTerms
from bot.ports.recording import TapeMaker

_TRADING_COOLDOWN_S = 10.0


def signer_of(settings: BotSettings) -> Signer | None:
    """The key that signs, or ``None`` for public reads only.

    Raises:
        ConfigurationFault: the key is unreadable or malformed.
    """
    secrets = settings.secrets
    if secrets.kalshi_key_id is None:
        return None
    if secrets.kalshi_private_key is not None:
        pem = secrets.kalshi_private_key.get_secret_value()
    else:
        pem = _read_key(secrets.kalshi_private_key_path)
    return load_signer(secrets.kalshi_key_id.get_secret_value(), pem)


def _read_key(path: Path | None) -> str:
    assert path is not None  # settings refuse a key id without its key
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise ConfigurationFault(
            [f"KALSHI_PRIVATE_KEY_PATH: {path}: {reason}; point it at the PEM file of the key"]
        ) from None


def exchange_of(settings: BotSettings, means: Means, signer: Signer | None) -> KalshiExchange:
    """The REST side of Kalshi; use it inside ``open()``."""
    section = settings.exchange
    try:
        rest = RestSettings(
            requests_per_second=section.requests_per_second,
            request_timeout_s=section.request_timeout_s,
            write_timeout_s=settings.leadership.order_timeout_s,
            tries=section.retries,
            subaccount=settings.account.subaccount,
            is_read_only=settings.trading.read_only,
        )
    except ValueError as error:
        raise ConfigurationFault([f"exchange: {error}"]) from None
    return KalshiExchange(
        exchange_hosts(settings), rest, signer=signer, clock=means.clock, random=means.random
    )


def feed_of(
    settings: BotSettings,
    means: Means,
    signer: Signer,
    *,
    session: SessionSettings,
    tapes: TapeMaker | None = None,
) -> KalshiFeed:
    """The live stream; ``session`` says what of it, ``tapes`` keep it.

    While the bot trades its stops are blind without the stream, so its cool-down is short.
    """
    cooldown_s = settings.exchange.ws_cooldown_s
    if settings.mode == "trade":
        cooldown_s = min(cooldown_s, _TRADING_COOLDOWN_S)
    stream = StreamSettings(
        session=session,
        failure_threshold=settings.exchange.ws_failure_threshold,
        failure_cooldown_s=cooldown_s,
    )
    return KalshiFeed(
        exchange_hosts(settings),
        stream,
        signer=signer,
        clock=means.clock,
        random=means.random,
        tapes=tapes,
    )


def exchange_hosts(settings: BotSettings) -> Hosts:
    """Where the chosen Kalshi is."""
    section = settings.exchange
    try:
        return hosts_of(section.environment, section.rest_url, section.ws_url)
    except ValueError as error:
        raise ConfigurationFault([f"exchange: {error}"]) from None


def collect_settings(settings: BotSettings) -> CollectSettings:
    """What the collect cycle is told."""
    section = settings.collect
    try:
        return CollectSettings(
            series=tuple(SeriesTicker(one) for one in section.series) or MACRO_SERIES,
            reports_dir=section.reports_dir,
            status_file=section.status_file,
            page_limit=section.page_limit,
            concurrency=section.concurrency,
            whole_exchange=section.whole_exchange,
            whole_every_hours=section.whole_every_hours,
            storage_budget=(section.storage_budget_gib or 0) * GIB,
        )
    except ValueError as error:
        raise ConfigurationFault([str(error)]) from None


def history_settings(settings: BotSettings) -> HistorySettings:
    """What discovery, backfill and the closed cleanup are told."""
    section = settings.history
    try:
        return HistorySettings(
            series=collect_settings(settings).series,
            discovery_statuses=section.discovery_statuses,
            full_discovery_s=section.full_discovery_s,
            heartbeat_s=section.discovery_heartbeat_s,
            minutes_for_hour=section.minutes_for_hour,
            minutes_for_day=section.minutes_for_day,
            minutes_for_other=section.minutes_for_other,
            lookback_h=section.lookback_h,
            grace_minutes=section.grace_minutes,
            horizons_minutes=section.horizons_minutes,
            retention_days=section.retention_days,
        )
    except ValueError as error:
        raise ConfigurationFault([str(error)]) from None


def lease_terms(settings: BotSettings) -> LeaseTerms:
    """The lease's timings, checked against one another.

    Raises:
        ConfigurationFault: they would allow two leaders.
    """
    section = settings.leadership
    try:
        return LeaseTerms(
            lease_us=_us(section.lease_s),
            renew_us=_us(section.renew_s),
            retry_us=_us(section.retry_s),
            poll_us=_us(section.poll_s),
            database_timeout_us=_us(section.database_timeout_s),
            gate_us=_us(section.gate_s),
            order_timeout_us=_us(section.order_timeout_s),
            stop_us=_us(section.stop_s),
            watchdog_us=_us(section.watchdog_s),
            drain_us=_us(section.drain_s),
            settle_us=_us(section.settle_s),
        )
    except ValueError as error:
        raise ConfigurationFault([str(error)]) from None


def candidate_of(settings: BotSettings, means: Means, pid: int, *, start_id: str = "") -> Candidate:
    """The process start that may lead; ``start_id`` names that of its supervisor."""
    instance_id = means.ids.new()
    # Off the platform every start is a deployment of its own, but not every restart after a
    # death: an old build that is killed must not come back as the newest.
    own_deployment = f"{OFF_PLATFORM}{start_id or instance_id}"
    return Candidate(
        instance_id=InstanceId(instance_id),
        scope=settings.scope,
        deployment_id=settings.deployment.deployment_id or own_deployment,
        replica_id=settings.deployment.replica_id,
        host=platform.node(),
        pid=pid,
        code_version=__version__,
    )


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)
