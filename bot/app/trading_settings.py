"""Trading settings as people write them, turned into the packages' integers."""

from decimal import Decimal

from bot.app.settings import BotSettings
from bot.collect.macro_filter import MACRO_SERIES, RELEASE_GROUPS
from bot.domain.errors import ConfigurationFault
from bot.domain.ids import SeriesTicker
from bot.engine.groups import GroupSettings
from bot.engine.monitor import MonitorSettings
from bot.engine.settings import EngineSettings
from bot.execution.rules import BracketRules
from bot.marketdata.universe import MarketFilter
from bot.risk.limits import RiskLimits
from bot.risk.readings import BreakerLimits
from bot.strategies.base import Strategy
from bot.strategies.registry import build_strategies

_MICROS = 1_000_000
_CONTRACT_E2 = 100
_APPROVALS_LIVE = 10
_GROUP_ORDERS = 3
"""Largest orders within 15 s: more is a bot that runs wild."""


def engine_settings(settings: BotSettings) -> EngineSettings:
    """What the engine goes by.

    Raises:
        ConfigurationFault: values contradict each other.
    """
    section = settings.trading
    is_live = settings.trading_mode == "live"
    approvals = _APPROVALS_LIVE if is_live else 0
    try:
        return EngineSettings(
            entries_on=not section.read_only,
            is_read_only=section.read_only,
            approvals_first=approvals if section.approve_first is None else section.approve_first,
            approve_above_e6=_e6(section.approve_above_dollars),
            approval_valid_us=_us(section.approval_seconds),
            proposals_max=section.max_proposals,
            limits=RiskLimits(
                order_cost_max_e6=_e6(_order_cost_max(settings)),
                total_cost_max_e6=_e6(section.live_total_cost_max) if is_live else 0,
                market_max_bp=_bp(section.market_max_pct),
                event_max_bp=_bp(section.event_max_pct),
                series_max_bp=_bp(section.series_max_pct),
                release_group_max_bp=_bp(section.release_group_max_pct),
                total_max_bp=_bp(section.total_max_pct),
                concurrent_max=section.max_concurrent,
                open_orders_max=section.max_open_orders,
                entries_per_minute_max=section.max_entries_per_minute,
                price_min_e4=_e4(section.price_min),
                price_max_e4=_e4(section.price_max),
                close_distance_min_us=_us(section.min_minutes_to_close * 60),
            ),
            rules=BracketRules(
                trail_by_e4=_e4(section.trail_stop_by),
                max_hold_us=_us(section.time_stop_minutes * 60),
                no_stop_us=_us(section.no_stop_minutes * 60),
                flatten_before_close_us=_us(section.sell_minutes_before_close * 60),
            ),
            releases=_releases(settings),
            breakers=BreakerLimits(
                daily_loss_bp=_bp(section.daily_loss_pct),
                losses_max=section.consecutive_losses,
                api_error_bp=_bp(section.api_error_pct),
                silence_us=_us(section.websocket_silence_s),
            ),
            foreign_blocks_entries=not section.traded_by_hand_too,
        )
    except ValueError as error:
        raise ConfigurationFault([f"trading: {error}"]) from None


def group_settings(settings: BotSettings) -> GroupSettings:
    """The limit of the exchange's own fence; one normal order never reaches it.

    Raises:
        ConfigurationFault: the chosen limit is below the largest order.
    """
    section = settings.trading
    highest = _order_cost_max(settings)
    largest = -(-_e6(highest) // (_e4(section.price_min) * 100))
    chosen = section.group_contracts_max
    if chosen is not None and chosen <= largest:
        order = f"order_cost_max {highest} at price_min {section.price_min}"
        raise ConfigurationFault(
            [f"trading.group_contracts_max: must be above {largest} contracts, {order}"]
        )
    contracts = _GROUP_ORDERS * max(1, largest) if chosen is None else chosen
    return GroupSettings(contracts_max_e2=contracts * _CONTRACT_E2)


def market_filter(settings: BotSettings) -> MarketFilter:
    """Which markets are watched."""
    section = settings.trading
    try:
        return MarketFilter(
            always=frozenset(SeriesTicker(one) for one in section.always_watch),
            favourite_bid_min_e4=_e4(section.probability_min),
            favourite_bid_max_e4=_e4(section.probability_max),
            liquidity_min_e6=_e6(section.min_liquidity),
            volume_24h_min_e6=_e6(section.min_volume_24h),
            spread_max_e4=_e4(section.max_spread),
            closes_after_us=_us(section.min_minutes_to_close * 60),
            closes_within_us=_us(section.max_hours_to_close * 3600),
            markets_max=section.max_watched,
        )
    except ValueError as error:
        raise ConfigurationFault([f"trading: {error}"]) from None


def monitor_settings(settings: BotSettings) -> MonitorSettings:
    """Which series are read for the watch list: those that are collected."""
    chosen = tuple(SeriesTicker(one) for one in settings.collect.series) or MACRO_SERIES
    return MonitorSettings(series=chosen, refresh_us=_us(settings.trading.refresh_s))


def strategies(settings: BotSettings) -> tuple[Strategy, ...]:
    """The chosen strategies with their parameters.

    Raises:
        ConfigurationFault: an unknown name or parameter.
    """
    try:
        return build_strategies(settings.trading.strategies)
    except ValueError as error:
        raise ConfigurationFault([f"trading.strategies: {error}"]) from None


def _order_cost_max(settings: BotSettings) -> Decimal:
    """With real money the smaller of two: raising one of them is no accident."""
    section = settings.trading
    if settings.trading_mode != "live":
        return section.order_cost_max
    return min(section.order_cost_max, section.live_order_cost_max)


def _releases(settings: BotSettings) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for group, times in settings.trading.releases.items():
        if group.casefold() not in RELEASE_GROUPS:
            known = ", ".join(sorted(RELEASE_GROUPS))
            raise ValueError(f"releases: no release group {group!r}; known: {known}")
        found[group.casefold()] = tuple(sorted(_us(one.timestamp()) for one in times))
    return found


def _bp(percent: Decimal) -> int:
    return int(percent * 100)


def _e4(dollars: Decimal) -> int:
    return int(dollars * 10_000)


def _e6(dollars: Decimal) -> int:
    return int(dollars * _MICROS)


def _us(seconds: float) -> int:
    return round(seconds * _MICROS)
