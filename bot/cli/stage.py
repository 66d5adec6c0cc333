"""Commands that need no account: the simulated exchange and the demo."""

from pathlib import Path

import click

from bot.app.demo import DemoOptions, run_demo
from bot.app.simulate import SimulateOptions, run_simulator

_BY_HAND = """
Trade by hand with curl and openssl: start it with --make-key key.pem, put the
printed key id below, and paste. A signature is RSA-PSS with SHA-256 over
milliseconds, method and path (without the query).

\b
"""
_RECIPE = r"""BASE=http://127.0.0.1:8090 KEY_ID=the-printed-id KEY=key.pem
kalshi() {  # kalshi METHOD PATH [JSON]
  local now signature path="/trade-api/v2$2"
  now=$(date +%s)000
  signature=$(printf %s "$now$1${path%%\?*}" | openssl dgst -sha256 \
    -sign "$KEY" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest |
    openssl base64 -A)
  curl -s -X "$1" "$BASE$path" -H "KALSHI-ACCESS-KEY: $KEY_ID" \
    -H "KALSHI-ACCESS-TIMESTAMP: $now" \
    -H "KALSHI-ACCESS-SIGNATURE: $signature" \
    -H 'Content-Type: application/json' ${3:+-d "$3"}; echo
}
order() {  # order TICKER bid|ask COUNT PRICE HOW-LONG; bid buys YES
  kalshi POST /portfolio/events/orders "{\"ticker\": \"$1\", \"side\": \"$2\",
    \"count\": \"$3\", \"price\": \"$4\", \"time_in_force\": \"$5\",
    \"self_trade_prevention_type\": \"taker_at_cross\"}"
}
kalshi GET /portfolio/balance
TICKER=$(kalshi GET '/markets?status=open&limit=1' |
  sed 's/.*"ticker":"\([^"]*\)".*/\1/')
kalshi GET "/markets/$TICKER/orderbook"
order "$TICKER" bid 2.00 0.9900 immediate_or_cancel   # buys what is offered
order "$TICKER" bid 2.00 0.0100 good_till_canceled    # rests
kalshi GET '/portfolio/orders?status=resting'
kalshi GET /portfolio/positions
"""
_AFTER = """
End an order: kalshi DELETE "/portfolio/events/orders/ID?market_ticker=$TICKER".
Worlds, faults, WebSocket: docs/simulator.md.
"""


@click.command(epilog=_BY_HAND + _RECIPE + _AFTER)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8090,
    show_default=True,
    help="0 takes a free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--seed", type=int, default=1, show_default=True, help="One seed, one history.")
@click.option(
    "--speed",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many times faster its clock runs.",
)
@click.option(
    "--pace",
    type=click.FloatRange(min=0.001),
    default=4.0,
    show_default=True,
    metavar="SECONDS",
    help="Mean time between two acts in a busy market.",
)
@click.option(
    "--recording",
    type=click.Path(path_type=Path, exists=True),
    help="Play a recorded capture instead of a generated world.",
)
@click.option(
    "--make-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a new private key here and accept it; its id is printed.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Accept this private key (made before by --make-key).",
)
@click.option(
    "--faults",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Faults of this JSON script.",
)
@click.option(
    "--rate-limit/--no-rate-limit",
    default=False,
    show_default=True,
    help="Limit requests as Kalshi's basic tier does.",
)
def simulate(**options: object) -> int:
    """Run a simulated Kalshi: REST and WebSocket, accounts, matching, settlement."""
    return run_simulator(SimulateOptions(**options))  # type: ignore[arg-type]  # click checked them


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), help="End by itself after so long.")
@click.option(
    "--recording",
    type=click.Path(path_type=Path, exists=True),
    help="Let the simulated exchange play this recorded capture.",
)
@click.option("--speed", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--fresh", is_flag=True, help="Forget what earlier demos collected.")
def demo(**options: object) -> int:
    """Show the whole bot at work: simulated exchange, paper money, a page to watch."""
    return run_demo(DemoOptions(**options))  # type: ignore[arg-type]  # click checked them
