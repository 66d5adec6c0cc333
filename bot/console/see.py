"""Commands that look closely: one market, one order, one period, one machine, and pictures.

They change nothing, so their answers may be renewed in place, and their buttons stay.
"""

from collections.abc import Sequence
from functools import partial

from bot.console import views, views_machine, views_market, views_money
from bot.console.arguments import ArgumentSpec, Shape
from bot.console.buttons import again_button, fits, go, in_rows
from bot.console.commands import TICKER, Answer, CommandSpec, Invocation
from bot.domain.cockpit import Drawn, NotDrawn
from bot.domain.ids import MarketTicker
from bot.domain.operations import AccessLevel
from bot.kit.markup import code, escape
from bot.ports.cockpit import Chart, Period
from bot.ports.messages import AuditEntry

_TRADES_TEXT_MAX = 20
"""More come as a file."""
_TRADES, _SIGNALS, _CYCLES, _LINES, _ACTS = 10, 10, 6, 15, 15
_MARKETS_SHOWN = 12
_PICKED_MAX = 10
_AUDIT_READ = 500
_LOOKS = frozenset({"logs", "audit", "config"})
"""Commands above a viewer's level that change nothing."""
_LEVELS = ("WARNING", "ERROR", "CRITICAL")

_COUNT = ArgumentSpec(name="count", shape=Shape.WORD, pattern=r"[1-9][0-9]{0,3}", example="20")
_FEW = ArgumentSpec(name="count", shape=Shape.WORD, pattern=r"[1-9][0-9]?", example="20")
PERIOD = ArgumentSpec(
    name="day|week|month|all",
    shape=Shape.WORD,
    pattern=r"(?i:day|week|month|all)",
    example="week",
)
_CHART = ArgumentSpec(
    name="pnl|drawdown|calibration|funnel|ticker",
    shape=Shape.WORD,
    pattern=TICKER.pattern,
    example="drawdown",
)
_QUERY = ArgumentSpec(name="query", shape=Shape.REST, example="fed", length_max=60)
_LINES_OR_LEVEL = ArgumentSpec(
    name="count|level",
    shape=Shape.WORD,
    pattern=r"[1-9][0-9]?|(?i:warning|error|critical)",
    example="30",
)
_LEVEL = ArgumentSpec(
    name="level", shape=Shape.WORD, pattern=r"(?i:warning|error|critical)", example="error"
)
_SECTION = ArgumentSpec(
    name="section", shape=Shape.WORD, pattern=r"[A-Za-z_]{1,32}", example="trading"
)

_CHART_LABELS = {
    Chart.PNL: "P&L",
    Chart.DRAWDOWN: "Drawdown",
    Chart.FUNNEL: "Funnel",
    Chart.CALIBRATION: "Calibration",
}


async def pnl(call: Invocation) -> Answer:
    """The running day, or some days that end with it."""
    typed = call.arguments.get(PERIOD.name, "").lower()
    buttons = (tuple(again_button(one.value.capitalize(), f"/pnl {one.value}") for one in Period),)
    if typed:
        period = Period(typed)
        text = views_money.period(await call.operator.cockpit.period(period), period)
    else:
        text = views.pnl(await call.operator.pnl())
    return Answer(text=text, outcome="shown", buttons=buttons)


async def _position(call: Invocation) -> Answer:
    ticker = _ticker(call)
    if ticker is None:
        held = [view.ticker for view in await call.operator.positions()]
        if not held:
            return Answer(text="No open positions.", outcome="shown")
        return _pick("Which one?", "/position", held)
    view = await call.operator.cockpit.position(ticker)
    if view is None:
        text = f"Nothing is held in {code(ticker)}. /positions lists what is."
        return Answer(text=text, outcome="not held", may_renew=False)
    chart = ((go("Picture", f"/chart {ticker}"),),) if fits(f"/chart {ticker}") else ()
    return Answer(
        text=views_money.position(view, call.now_us, call.zone), outcome="shown", buttons=chart
    )


async def _orders(call: Invocation) -> Answer:
    return _shown(views_money.orders(await call.operator.cockpit.orders(), call.now_us))


async def _trades(call: Invocation) -> Answer:
    count = _number(call, _COUNT, _TRADES)
    found = await call.operator.cockpit.trades(min(count, _TRADES_TEXT_MAX))
    text = views_money.trades(found, call.zone)
    if count <= _TRADES_TEXT_MAX or len(found) < _TRADES_TEXT_MAX:
        return _shown(text)
    made = await call.operator.cockpit.trades_file(count)
    return Answer(text=escape(made.text), outcome=f"file {made.path}", attachment=made.path)


async def _exposure(call: Invocation) -> Answer:
    view = await call.operator.cockpit.exposure()
    if view is None:
        return _shown("Not known: the balance has not been read, or this mode does not trade.")
    return _shown(views_money.exposure(view))


async def _risk(call: Invocation) -> Answer:
    found = await call.operator.cockpit.limits()
    if not found:
        return _shown("Not known: the balance has not been read, or this mode does not trade.")
    return _shown(views_money.limits(found))


async def _markets(call: Invocation) -> Answer:
    query = call.arguments.get(_QUERY.name, "")
    view = await call.operator.cockpit.markets(query, _MARKETS_SHOWN)
    return _shown(views_market.markets(view, query, call.now_us))


async def _market(call: Invocation) -> Answer:
    ticker = _ticker(call)
    if ticker is None:
        view = await call.operator.cockpit.markets("", _PICKED_MAX)
        if not view.found:
            return Answer(
                text=f"Say which: {code('/market TICKER')}",
                outcome="bad arguments",
                may_renew=False,
            )
        return _pick("Which one?", "/market", [one.ticker for one in view.found])
    found = await call.operator.cockpit.market(ticker)
    if found is None:
        text = f"The exchange knows no market {code(ticker)}. /markets WORD finds watched ones."
        return Answer(text=text, outcome="unknown", may_renew=False)
    return _shown(views_market.market(found, call.now_us, call.zone))


async def _signals(call: Invocation) -> Answer:
    found = await call.operator.cockpit.decisions(_number(call, _FEW, _SIGNALS))
    return _shown(views_market.signals(found, call.now_us))


async def _chart(call: Invocation) -> Answer:
    typed = call.arguments.get(_CHART.name, Chart.PNL.value)
    cockpit = call.operator.cockpit
    drawn: Drawn | NotDrawn
    if typed.lower() in set(Chart):
        drawn = await cockpit.chart(Chart(typed.lower()), call.zone)
    else:
        drawn = await cockpit.market_chart(MarketTicker(typed.upper()), call.zone)
    others = [
        go(label, f"/chart {chart.value}")
        for chart, label in _CHART_LABELS.items()
        if chart.value != typed.lower()
    ]
    rows = in_rows(others)
    if isinstance(drawn, NotDrawn):
        return Answer(text=f"No picture: {escape(drawn.why)}.", outcome="no picture", buttons=rows)
    return Answer(
        text=drawn.text, outcome=f"file {drawn.path}", attachment=drawn.path, buttons=rows
    )


async def _health(call: Invocation) -> Answer:
    return _shown(views_machine.health(await call.operator.cockpit.health(), call.zone))


async def _ping(call: Invocation) -> Answer:
    command = call.request.command
    view = await call.operator.cockpit.ping()
    return _shown(
        views_machine.ping(
            view,
            sent_us=command.sent_us,
            received_us=command.received_us,
            now_us=call.now_us,
        )
    )


async def _collect(call: Invocation) -> Answer:
    cycles = await call.operator.cockpit.cycles(_number(call, _FEW, _CYCLES))
    return _shown(views_machine.collect(cycles, call.now_us))


async def _logs(call: Invocation) -> Answer:
    first = call.arguments.get(_LINES_OR_LEVEL.name, "")
    level = call.arguments.get(_LEVEL.name, "" if first.isdecimal() else first).upper()
    count = int(first) if first.isdecimal() else _LINES
    level = level or _LEVELS[0]
    lines = await call.operator.cockpit.logs(count, level)
    return _shown(views_machine.logs(lines, level, call.zone))


async def _config(call: Invocation) -> Answer:
    lines = await call.operator.cockpit.settings()
    section = call.arguments.get(_SECTION.name, "").lower()
    return _shown(views_machine.settings(lines, section))


async def _audit(call: Invocation) -> Answer:
    entries = await call.operator.cockpit.audit(_AUDIT_READ)
    acts = [one for one in entries if _is_act(call, one)]
    return _shown(views_machine.audit(acts[: _number(call, _FEW, _ACTS)], call.zone))


async def _web(call: Invocation) -> Answer:
    return _shown(views_machine.web(call.operator.cockpit.web_address()))


def rows() -> tuple[CommandSpec, ...]:
    """The commands of this module."""
    return (*_money_rows(), *_market_rows(), *_machine_rows())


def _money_rows() -> tuple[CommandSpec, ...]:
    row = partial(CommandSpec, level=AccessLevel.VIEWER, group="See", is_refreshable=True)
    return (
        row(
            name="position",
            handler=_position,
            arguments=(TICKER,),
            help="One position: entry, fills, orders, worth now, and what was there before",
        ),
        row(name="orders", handler=_orders, help="Orders that rest or whose outcome is unknown"),
        row(
            name="trades",
            handler=_trades,
            arguments=(_COUNT,),
            help="The newest closed positions; more than 20 come as a file",
        ),
        row(name="exposure", handler=_exposure, help="What could be lost at worst, and where"),
        row(name="risk", aliases=("limits",), handler=_risk, help="Every limit and its use"),
    )


def _market_rows() -> tuple[CommandSpec, ...]:
    row = partial(CommandSpec, level=AccessLevel.VIEWER, group="Markets", is_refreshable=True)
    return (
        row(
            name="markets",
            handler=_markets,
            arguments=(_QUERY,),
            help="Watched markets, or those whose ticker or title holds some words",
        ),
        row(
            name="market",
            aliases=("m",),
            handler=_market,
            arguments=(TICKER,),
            help="One market: prices, depth, close, our position, why it is not bought",
        ),
        row(
            name="signals",
            handler=_signals,
            arguments=(_FEW,),
            help="The newest verdicts on signals with their reasons",
        ),
        row(
            name="chart",
            handler=_chart,
            arguments=(_CHART,),
            is_refreshable=False,
            help="A picture: result, drawdown, calibration, funnel, or a market's price",
        ),
    )


def _machine_rows() -> tuple[CommandSpec, ...]:
    row = partial(CommandSpec, level=AccessLevel.VIEWER, group="Machine", is_refreshable=True)
    return (
        row(
            name="health",
            handler=_health,
            help="Process, database, connections, queues, memory, disk, last backup",
        ),
        row(name="ping", handler=_ping, is_refreshable=False, help="How quickly the parts answer"),
        row(
            name="collect",
            handler=_collect,
            arguments=(_FEW,),
            help="The newest cycles of the collection",
        ),
        row(
            name="logs",
            handler=_logs,
            arguments=(_LINES_OR_LEVEL, _LEVEL),
            level=AccessLevel.TRADER,
            help="The newest warnings and errors of the log",
        ),
        row(
            name="audit",
            handler=_audit,
            arguments=(_FEW,),
            level=AccessLevel.TRADER,
            help="What operators did last, and what came of it",
        ),
        row(
            name="config",
            handler=_config,
            arguments=(_SECTION,),
            level=AccessLevel.ADMIN,
            is_refreshable=False,
            help="Effective settings without secrets, and where each came from",
        ),
        row(name="web", handler=_web, is_refreshable=False, help="Where the page is"),
    )


def _shown(text: str) -> Answer:
    return Answer(text=text, outcome="shown")


def _ticker(call: Invocation) -> MarketTicker | None:
    typed = call.arguments.get(TICKER.name)
    return MarketTicker(typed.upper()) if typed else None


def _number(call: Invocation, spec: ArgumentSpec, otherwise: int) -> int:
    return int(call.arguments.get(spec.name, otherwise))


def _pick(question: str, word: str, tickers: Sequence[str]) -> Answer:
    some = [one for one in tickers if fits(f"{word} {one}")][:_PICKED_MAX]
    return Answer(
        text=f"{question} Or {code(f'{word} TICKER')}.",
        outcome="asked which",
        may_renew=False,
        buttons=tuple((again_button(one, f"{word} {one}"),) for one in some),
    )


def _is_act(call: Invocation, entry: AuditEntry) -> bool:
    """Whether it is of a command that does something, or of one that is gone by now."""
    words = entry.command.split()
    spec = call.table.find(words[0].lstrip("/").lower()) if words else None
    if spec is None:
        return entry.outcome != "unknown"
    return spec.level > AccessLevel.VIEWER and spec.name not in _LOOKS
