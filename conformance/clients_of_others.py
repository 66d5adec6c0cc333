"""Judge: other people's clients trade on the simulated exchange, unpatched.

Each runs in its own environment as a process of its own and reports step by
step; the only thing it is told is where the exchange listens.
"""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

from bot.domain.orders import BookSide
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from conformance.stage import list_market, open_house, quote
from conformance.verdicts import Unavailable, Verdict, judged

_TICKER = "KXJUDGED-26DEC-A"
_LIMIT_S = 90
_CLIENTS = {"official": "official_trades.py", "sdk": "sdk_trades.py"}
_NAMES = {"official": "kalshi-python-async", "sdk": "kalshi-sdk"}
_ERROR_EXCERPT = 400


async def judge_client(home: Path, which: str) -> Verdict:
    """Let one of them trade. Raises ``Unavailable`` where its environment could not be made."""
    python = home / which / "bin" / "python"
    if not python.is_file():
        reason = (home / f"{which}.skipped").read_text() if _has_reason(home, which) else "not made"
        raise Unavailable(f"no environment for {_NAMES[which]}: {reason.strip()}")
    async with AsyncExitStack() as stack:
        settings = SimulatorSettings(limits=RateLimits(is_on=False), world="empty")
        sim = await stack.enter_async_context(SimulatedExchange(settings))
        open_house(sim)
        list_market(sim, _TICKER)
        quote(sim, _TICKER, [(BookSide.BID, 4_700, 300), (BookSide.ASK, 5_200, 300)])
        return await _run(python, home, which, sim)


def _has_reason(home: Path, which: str) -> bool:
    return (home / f"{which}.skipped").is_file()


async def _run(python: Path, home: Path, which: str, sim: SimulatedExchange) -> Verdict:
    stage = home / f"{which}.stage.json"
    facts = {
        "base_url": sim.base_url,
        "ws_url": sim.ws_url,
        "key_id": sim.keys.key_id,
        "private_pem": sim.keys.private_pem.decode(),
        "ticker": _TICKER,
    }
    stage.write_text(json.dumps(facts))
    stage.chmod(0o600)
    program = Path(__file__).parent / "foreign" / _CLIENTS[which]
    process = await asyncio.create_subprocess_exec(
        str(python), str(program), str(stage),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_LIMIT_S):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        output, errors = await process.communicate()
        errors += f"still running after {_LIMIT_S} s".encode()
    steps = [json.loads(line) for line in output.decode().splitlines()]
    findings = [f"{one['step']}: {one['detail']}" for one in steps if not one["ok"]]
    if process.returncode != 0:
        findings.append(errors.decode(errors="replace")[-_ERROR_EXCERPT:])
    versions = [one["detail"] for one in steps if one["step"] == "version"]
    passed = [one["step"] for one in steps if one["ok"] and one["step"] != "version"]
    name = f"{_NAMES[which]} {''.join(versions)}"
    return judged(name, f"{len(passed)} steps: {', '.join(passed)}", findings)
