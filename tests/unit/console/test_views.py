"""What each view says, word for word."""

from dataclasses import replace

import pytest

from bot.console import views
from bot.domain.money import Money, Price, Quantity
from bot.domain.operations import (
    BackupFile,
    ChannelView,
    GapsView,
    StopKind,
    StopReason,
    VersionView,
    WatchView,
)
from tests.fakes.operator import (
    ACCOUNT,
    BANNER,
    DAILY_LOSS,
    FOREIGN,
    FREE,
    HALTED,
    INSTANCE,
    LOSS_STREAK,
    NOTHING_KNOWN,
    NOW_US,
    PNL,
    POSITION,
    STATUS,
    WHY,
)


def test_status_says_everything_at_once():
    assert views.status(STATUS, BANNER) == (
        "<b>TRADING</b>: entries are on\n"
        "Role: leading for 1 h 30 min, epoch 7\n"
        "Day 2026-11-21: +$12.34 (1.23 %); 4 won, 2 lost\n"
        "Equity $1,012.34, cash $900.00, exposure $112.34\n"
        "Positions: 2 of 5\n"
        "Markets: 1240 seen, 6 eligible\n"
        "WebSocket: up, last frame 1 s ago\n"
        "API errors: 3 of 240 (1.2 %)\n"
        "Breakers: tripped: loss_streak\n"
        "Halt: no\n"
        "Loops: rest 6 failed in a row, rests 45 s; websocket ok\n"
        "Collect: last success 20 min ago, 2 hours missing\n"
        "Messages waiting: 0\n"
        "Up 1 d 2 h, version 0.1.0"
    )


def test_status_admits_what_it_does_not_know():
    assert views.status(NOTHING_KNOWN, replace(BANNER, epoch=None, leading_since_us=None)) == (
        "<b>HALTED</b> since 21 Nov 07:15:00 UTC: first start -> /unhalt to begin\n"
        "Role: leading, epoch none\n"
        "Day: unknown\n"
        "Equity: unknown\n"
        "Positions: unknown\n"
        "Markets: unknown seen, unknown eligible\n"
        "WebSocket: unknown\n"
        "API errors: unknown\n"
        "Breakers: none tripped\n"
        "Halt: unknown\n"
        "Loops: unknown\n"
        "Collect: unknown\n"
        "Messages waiting: unknown\n"
        "Up 0 s, version 0.1.0"
    )


@pytest.mark.parametrize(
    ("stop", "line"),
    [
        (None, "<b>TRADING</b>: entries are on"),
        (
            StopReason(
                kind=StopKind.TRIPPED, name="daily_loss", why="-5.1 %", remedy="/reset_breaker"
            ),
            "<b>TRIPPED daily_loss</b>: -5.1 % -> /reset_breaker",
        ),
        (
            StopReason(kind=StopKind.PAUSED, why="maintenance", remedy="waits for the exchange"),
            "<b>PAUSED</b>: maintenance -> waits for the exchange",
        ),
        (
            StopReason(kind=StopKind.OFF, why="mode is <collect>", remedy="start with trade"),
            "<b>OFF</b>: mode is &lt;collect&gt; -> start with trade",
        ),
        (
            StopReason(kind=StopKind.DRAINING, why="hand-over", remedy="the successor"),
            "<b>DRAINING</b>: hand-over -> the successor",
        ),
    ],
)
def test_the_first_line_of_status_says_why_it_is_not_trading(stop, line):
    assert views.status(replace(STATUS, stop=stop), BANNER).splitlines()[0] == line
    assert views.why(replace(WHY, stop=stop), NOW_US).splitlines()[0] == line


def test_positions_name_side_stop_and_target_and_what_nobody_watches():
    assert views.positions((POSITION, FOREIGN)) == (
        "<b>Open positions</b>: 2\n"
        "<code>KXFED-26DEC-T4.25</code> Fed &lt;rate&gt; above 4.25 % &amp; more\n"
        "  10 YES, cost $8.50, mark $0.865, open +$0.15\n"
        "  stop $0.8075, target $0.9012\n"
        "<code>KXCPI-26NOV</code> CPI (not this bot's)\n"
        "  2.50 NO, cost $8.50, mark unknown, open unknown\n"
        "  stop none, target none <b>STOP NOT WATCHED</b>"
    )
    assert views.positions(()) == "No open positions."


def test_a_no_position_shows_no_prices():
    held = replace(
        POSITION,
        quantity=Quantity(-10_300),
        mark=Price(300),
        stop_price=Price(1_025),
        target_price=Price(100),
    )
    assert views.positions((held,)).splitlines()[2:] == [
        "  103 NO, cost $8.50, mark $0.97, open +$0.15",
        "  stop $0.8975, target $0.99",
    ]


def test_pnl_is_net_of_fees_and_counts_trades():
    assert views.pnl(replace(PNL, break_even_e6=712_000)) == (
        "<b>Day 2026-11-21</b>: +$12.34 (1.23 % of $1,000.00)\n"
        "Realised +$15.00, open -$2.00, fees $0.66\n"
        "Trades 6: 4 won, 2 lost; win rate: 66.7 %, break-even 71.2 %"
    )
    lost = replace(PNL, realized=Money(-51_000_000), baseline=None, wins=0, losses=0)
    assert views.pnl(lost).splitlines()[0] == "<b>Day 2026-11-21</b>: -$53.66"
    assert views.pnl(lost).endswith("win rate: no closed trades")


def test_balance_shows_exposure_as_a_share():
    assert views.balance(ACCOUNT, NOW_US) == (
        "<b>Equity</b> $1,012.34, cash $900.00\n"
        "Exposure $112.34 (11.09 % of equity)\n"
        "Start of day $1,000.00; read 5 s ago"
    )
    empty = replace(ACCOUNT, equity=Money(0), baseline=None)
    assert "Exposure $112.34\nStart of day unknown" in views.balance(empty, NOW_US)


def test_breakers_list_the_tripped_ones_first():
    assert views.breakers((DAILY_LOSS, LOSS_STREAK), NOW_US) == (
        "<code>loss_streak</code> <b>TRIPPED</b> 10 min ago: 5 losses in a row "
        "(5, limit 5). Re-arms: by a person only\n"
        "<code>daily_loss</code> ok: -1.2 %, limit -5 %"
    )
    assert views.breakers((), NOW_US) == "No breakers are set up."


def test_instances_say_who_leads():
    other = replace(
        INSTANCE,
        state="released",
        leads_since_us=None,
        is_wanted=False,
        is_me=False,
        epoch=None,
        is_alive=False,
    )
    assert views.instances((INSTANCE, other), NOW_US) == (
        "<code>inst-7f</code> leading (LEADS since 21 Nov 05:45:00 UTC, wanted, this one)\n"
        "  deployment d12, generation 12, epoch 7, host-a, version 0.1.0, heartbeat 2 s ago\n"
        "<code>inst-7f</code> released (not alive)\n"
        "  deployment d12, generation 12, host-a, version 0.1.0, heartbeat 2 s ago"
    )
    assert views.instances((), NOW_US) == "No instance is registered."


def test_gaps_show_the_newest_hours_and_count_the_rest():
    hours = tuple(f"2026-11-{day:02d}T00:00:00Z" for day in range(1, 30))
    view = GapsView(first_hour=hours[0], last_hour=hours[-1], hours_expected=700, missing=hours)
    shown = views.gaps(view)
    assert shown.splitlines()[0] == (
        "<b>Gaps</b>: 29 of 700 hours missing between 2026-11-01T00:00:00Z and 2026-11-29T00:00:00Z"
    )
    assert shown.endswith("<code>2026-11-29T00:00:00Z</code>\nand 5 earlier ones")
    assert views.gaps(replace(view, missing=())).startswith("<b>No gaps</b>: 0 of 700")
    more = replace(view, reasons=(("the bot was not running", 29),), markets_missing=4)
    more = replace(more, stream_gaps=3, detail_hours=168)
    lines = views.gaps(more).splitlines()
    assert lines[1] == "29 h: the bot was not running"
    assert lines[-2:] == [
        "4 snapshots of single markets missing in 7 days",
        "3 gaps of the live stream in 7 days",
    ]
    nothing = GapsView(first_hour=None, last_hour=None, hours_expected=0, missing=())
    assert views.gaps(nothing) == "Nothing has been collected yet."


def test_why_shows_the_funnel_and_the_last_decisions():
    assert views.why(WHY, NOW_US) == (
        "<b>TRADING</b>: entries are on\n"
        "Last look: seen 1240 -> liquid 6\n"
        "1 min ago <code>KXFED-26DEC-T4.25</code> denied: stale_book: book is 12 s old"
    )
    quiet = replace(WHY, ticker=WHY.decisions[0].ticker, decisions=(), funnel=())
    assert views.why(quiet, NOW_US).endswith("No signal has been decided on in KXFED-26DEC-T4.25.")


def test_what_was_taken_says_what_limited_its_size():
    taken = replace(WHY.decisions[0], verdict="taken", reason="order cost")
    shown = views.why(replace(WHY, decisions=(taken,)), NOW_US)
    assert shown.endswith("taken: size limited by order cost")


def test_a_halt_names_its_author_and_what_happens_to_stops():
    assert views.halted(HALTED) == (
        "<b>HALTED</b>, saved. No new entries; resting entries are cancelled.\n"
        "Set by the bot: first start; /unhalt to begin\n"
        "Positions stay open. Stops are watched only while this bot leads; "
        "if it dies, resting take-profits stay and stops do not.\n"
        "/unhalt ends it."
    )
    assert "halted here, not yet saved" in views.halted(replace(FREE, is_saved=False))


def test_a_backup_says_when_it_will_not_last():
    file = BackupFile(
        path="backups/kalshi_20261121_071500.sqlite",
        size_bytes=12_345_678,
        sha256="ab" * 32,
        made_us=NOW_US,
        is_durable=False,
    )
    assert views.backup(file) == (
        "<b>Backup</b> <code>backups/kalshi_20261121_071500.sqlite</code>\n"
        "12.3 MB, made 21 Nov 07:15:00 UTC\n"
        f"SHA-256 <code>{'ab' * 32}</code>\n"
        "<b>Not durable</b>: this disk does not survive a deploy."
    )
    assert "Not durable" not in views.backup(replace(file, is_durable=True))


def test_questions_show_the_state_that_would_change():
    assert views.halt_question(HALTED, (DAILY_LOSS, LOSS_STREAK), NOW_US) == (
        "<b>End the halt?</b>\n"
        "Set by the bot 3 min ago: first start; /unhalt to begin\n"
        "Entries start again after a reconciliation.\n"
        "Still tripped, and not cleared by this: loss_streak"
    )
    held = replace(DAILY_LOSS, is_tripped=True, why="-5.1 %", blocked_by="still -5.1 %")
    assert views.breaker_question(held, force=True) == (
        "<b>Reset daily_loss?</b>\n"
        "It stands at -1.2 %, limit -5 %.\n"
        "Tripped because: -5.1 %\n"
        "Its condition still holds: still -5.1 %\n"
        "Forcing it grants: another 1 % today"
    )


def test_version_and_sizes():
    view = VersionView(version="0.1.0", deployment="local", schema="3", python="3.11.7")
    assert views.version(view) == "Version 0.1.0, schema 3\nDeployment local, Python 3.11.7"
    assert [views.size(n) for n in (512, 1_000, 999_949, 1_000_000, 50_000_000)] == [
        "512 B",
        "1.0 kB",
        "999.9 kB",
        "1.0 MB",
        "50.0 MB",
    ]


def test_cash_on_several_shards_is_told_by_shard() -> None:
    assert "shard" not in views.balance(replace(ACCOUNT, by_shard=((0, ACCOUNT.cash),)), NOW_US)
    shards = ((0, Money(890_000_000)), (2, Money(10_000_000)))
    assert views.balance(replace(ACCOUNT, by_shard=shards), NOW_US).endswith(
        "Cash by shard 0: $890.00, 2: $10.00; a market takes its own shard's only"
    )


def test_status_shows_what_is_not_calm_and_the_win_rate_always():
    calm = WatchView(name="win rate", is_calm=True, text="40 of the last 50 won")
    wrong = WatchView(name="money", is_calm=False, text="$1.00 free on shard <2>")
    quiet = WatchView(name="API errors", is_calm=True, text="0 of 9 calls failed")
    told = views.status(replace(STATUS, watches=(calm, quiet, wrong)), BANNER).splitlines()
    at = told.index("Watched for you: 1 of 3 not calm")
    assert told[at + 1 : at + 3] == [
        "- win rate: 40 of the last 50 won",
        "- money: $1.00 free on shard &lt;2&gt;",
    ]
    told = views.status(replace(STATUS, watches=(calm, quiet)), BANNER).splitlines()
    assert "Watched for you: all calm" in told
    assert "- API errors: 0 of 9 calls failed" not in told


def test_the_status_says_where_messages_do_not_arrive():
    failing = ChannelView(
        channel="email",
        recipient="ada@example.com",
        reason="<the login is refused>",
        since_us=NOW_US - 300_000_000,
    )
    told = views.status(replace(STATUS, channels_failing=(failing,)), BANNER)
    assert (
        "\nNot arriving: email to ada@example.com for 5 min: &lt;the login is refused&gt;\n" in told
    )
    assert "Not arriving" not in views.status(STATUS, BANNER)
