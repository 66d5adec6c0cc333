"""Names the macro release a series belongs to, and the probability bucket of a market.

Only whole series tickers count. Prefixes mislead (KXFED begins KXFEDDECISION,
KXCPI begins KXCPICORE) and so do suffixes (KXTOBACCPI), so what is not in the
table is ``other``.
"""

from dataclasses import dataclass
from types import MappingProxyType

from bot.domain.ids import SeriesTicker
from bot.domain.money import Price


@dataclass(frozen=True, slots=True)
class MacroClass:
    """What a series is about. Series of one release group move on the same print."""

    event_type: str
    release_group: str


OTHER = MacroClass("other", "other")

_CURRENT_PREFIX = "KX"

# Keyed by the series ticker without the venue's current prefix, so that the legacy spelling
# (FED, CPI, U3 ...) and the current one (KXFED, KXCPI, KXU3 ...) are one entry.
_CLASSES = MappingProxyType(
    {
        "FED": MacroClass("fed_rate", "fomc"),
        "FEDDECISION": MacroClass("fed_decision", "fomc"),
        "RATECUT": MacroClass("fed_path", "fomc"),
        "RATECUTCOUNT": MacroClass("fed_path", "fomc"),
        "FEDHIKE": MacroClass("fed_path", "fomc"),
        "FEDDISSENT": MacroClass("fed_dissent", "fomc"),
        "EFFR": MacroClass("effr", "effr"),
        "CPI": MacroClass("cpi_mom", "cpi"),
        "CPIYOY": MacroClass("cpi_yoy", "cpi"),
        "CPICORE": MacroClass("cpi_core_mom", "cpi"),
        "CPICOREYOY": MacroClass("cpi_core_yoy", "cpi"),
        "ECONSTATCPI": MacroClass("cpi_mom_partition", "cpi"),
        "ECONSTATCPIYOY": MacroClass("cpi_yoy_partition", "cpi"),
        "ECONSTATCPICORE": MacroClass("cpi_core_mom_partition", "cpi"),
        "CPIDELAY": MacroClass("cpi_delay", "cpi"),
        "PAYROLLS": MacroClass("nfp", "employment"),
        "PROLLS": MacroClass("nfp", "employment"),
        "NFPDELAY": MacroClass("nfp_delay", "employment"),
        "U3": MacroClass("unemployment", "employment"),
        "UNEMPLOYMENT": MacroClass("unemployment", "employment"),
        "ECONSTATU3": MacroClass("unemployment_partition", "employment"),
        "JOBLESSCLAIMS": MacroClass("claims", "claims"),
        "JOBLESS": MacroClass("claims", "claims"),
        "ADP": MacroClass("adp", "adp"),
        "GDP": MacroClass("gdp", "gdp"),
        "PCECORE": MacroClass("pce_core", "pce"),
        "ISMPMI": MacroClass("ism_pmi", "ism"),
    }
)

RELEASE_GROUPS = frozenset(one.release_group for one in _CLASSES.values())

MACRO_SERIES: tuple[SeriesTicker, ...] = tuple(
    SeriesTicker(_CURRENT_PREFIX + name)
    for name in _CLASSES
    if name not in {"PROLLS", "JOBLESS"}  # legacy names that never got the current prefix
)
"""The macro series the venue lists today, the default of the collect cycle."""

BUCKET_EDGES = (0, 500, 1_500, 3_500, 6_500, 8_500, 9_500, 10_000)
"""In units of $0.0001: narrow at the ends, where favourites and longshots are."""
_BUCKET_NAMES = (
    "0.00-0.05",
    "0.05-0.15",
    "0.15-0.35",
    "0.35-0.65",
    "0.65-0.85",
    "0.85-0.95",
    "0.95-1.00",
)


def classify(series: SeriesTicker | None) -> MacroClass:
    """The macro release of a series; ``OTHER`` for a series that is unknown or not macro."""
    if series is None:
        return OTHER
    return _CLASSES.get(series.removeprefix(_CURRENT_PREFIX), OTHER)


def probability_bucket(bid: Price | None, ask: Price | None) -> str | None:
    """The fixed bucket that holds the mid, its lower edge included; ``None`` on a one-sided book.

    The last bucket also includes its upper edge, $1.
    """
    if bid is None or ask is None:
        return None
    twice_mid = bid + ask  # doubled, so that half a centicent needs no rounding
    for upper, name in zip(BUCKET_EDGES[1:], _BUCKET_NAMES, strict=True):
        if twice_mid < 2 * upper:
            return name
    return _BUCKET_NAMES[-1]
