"""The markets of an event as claims about one number: thresholds, brackets, named outcomes."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from bot.simulator.latent import Claim, Uncertainty


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One market of an event before it has a ticker."""

    suffix: str
    sub_title: str
    claim: Claim
    strike_type: str
    floor_strike: float | None = None
    cap_strike: float | None = None
    custom_strike: str | None = None


def above(strikes: list[float], shape: str) -> Callable[[Uncertainty], list[Question]]:
    """A ladder of thresholds; ``shape`` formats a strike, e.g. ``{:.1f}%``."""

    def build(uncertainty: Uncertainty) -> list[Question]:
        del uncertainty
        return [_threshold(strike, shape) for strike in strikes]

    return build


def around(count: int, step: float, shape: str) -> Callable[[Uncertainty], list[Question]]:
    """A ladder of thresholds around wherever the number is when the event is listed."""

    def build(uncertainty: Uncertainty) -> list[Question]:
        middle = round(uncertainty.centre / step) * step
        return [_threshold(middle + (i - count // 2) * step, shape) for i in range(count)]

    return build


def _threshold(strike: float, shape: str) -> Question:
    text = shape.format(strike)
    plain = f"{strike:.2f}".rstrip("0").rstrip(".")
    return Question(
        suffix=f"T{plain}",
        sub_title=f"Above {text}",
        claim=Claim(floor=strike),
        strike_type="greater",
        floor_strike=round(strike, 4),
    )


def between(edges: list[float], shape: str) -> Callable[[Uncertainty], list[Question]]:
    """Brackets that cover everything; exactly one wins."""

    def build(uncertainty: Uncertainty) -> list[Question]:
        del uncertainty
        bounds: list[float | None] = [None, *edges, None]
        return [_bracket(low, high, shape) for low, high in pairwise(bounds)]

    return build


def _bracket(low: float | None, high: float | None, shape: str) -> Question:
    if low is None and high is not None:
        kind, text, name = "less_or_equal", f"{shape.format(high)} or below", f"B{high:g}"
    elif low is not None and high is None:
        kind, text, name = "greater", f"Above {shape.format(low)}", f"T{low:g}"
    else:
        kind, text = "between", f"{shape.format(low)} to {shape.format(high)}"
        name = f"B{((low or 0) + (high or 0)) / 2:g}"
    return Question(
        suffix=name,
        sub_title=text,
        claim=Claim(floor=low, cap=high),
        strike_type=kind,
        floor_strike=low,
        cap_strike=high,
    )


def outcomes(
    named: list[tuple[str, str, float | None, float | None]],
) -> Callable[[Uncertainty], list[Question]]:
    """Named outcomes as brackets of the number."""

    def build(uncertainty: Uncertainty) -> list[Question]:
        del uncertainty
        return [
            Question(
                suffix=suffix,
                sub_title=title,
                claim=Claim(floor=low, cap=high),
                strike_type="custom",
                custom_strike=title,
            )
            for suffix, title, low, high in named
        ]

    return build
