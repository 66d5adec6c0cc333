"""Judge: schemathesis, in its own environment, against every served path of the document.

It makes up requests that fit the document and requests that do not, follows
created orders and groups through their lives, and checks statuses, bodies,
authentication and methods. What it finds must be in ``allowed_by_fuzzer.toml``
with a reason.
"""

import asyncio
import base64
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import KeyType, RateLimits, SimulatorSettings
from conformance.documented import served
from conformance.specs import RestSpec, load
from conformance.verdicts import Unavailable, Verdict, judged

_HERE = Path(__file__).parent
_ALLOWED = _HERE / "allowed_by_fuzzer.toml"
_METHODS = frozenset({"get", "post", "put", "delete"})
_EXAMPLES, _EXAMPLES_SHORT = 40, 8
_SEED = 20_261_026
_LIMIT_S, _LIMIT_SHORT_S = 420, 120
_ORDER, _GROUP = "/portfolio/events/orders", "/portfolio/order_groups"
_EXCERPT = 200


@dataclass(slots=True)
class Allowed:
    """One thing the fuzzer may find: where, with what answer, and why that is right."""

    check: str
    operation: str
    evidence: str
    reason: str
    used: int = field(default=0, compare=False)

    def covers(self, finding: "Finding") -> bool:
        """Whether this is what was found."""
        return (
            self.check == finding.check
            and re.search(self.operation, finding.operation) is not None
            and re.search(self.evidence, finding.evidence, re.DOTALL) is not None
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """One complaint. ``evidence`` is the complaint's text, the request and the answer."""

    check: str
    operation: str
    evidence: str


def allowed_list() -> list[Allowed]:
    """The allow-list. Raises ``ValueError`` for an entry without a reason."""
    entries = [Allowed(**row) for row in tomllib.loads(_ALLOWED.read_text())["allowed"]]
    for entry in entries:
        if not entry.reason.strip():
            raise ValueError(f"{_ALLOWED.name}: {entry.check} {entry.operation} has no reason")
    return entries


async def judge_by_fuzzing(home: Path, *, is_short: bool) -> list[Verdict]:
    """Raises ``Unavailable`` without the documents or the fuzzer."""
    program = home / "fuzz" / "bin" / "schemathesis"
    if not program.is_file():
        raise Unavailable("schemathesis is not installed: scripts/conformance.sh does it")
    document = load(home / "specs", "openapi.yaml")
    (home / "served.json").write_text(json.dumps(served_document(document), default=str))
    settings = SimulatorSettings(limits=RateLimits(is_on=False), key_type=KeyType.ED25519)
    async with SimulatedExchange(settings) as sim:
        report = await _run(program, home, sim, is_short=is_short)
    cases, found = read_report(report)
    allowed = allowed_list()
    findings = list(judge_findings(found, allowed))
    unused = sum(not one.used for one in allowed)
    checked = (
        f"{cases} requests; {len(found) - len(findings)} complaints allowed by"
        f" {len(allowed) - unused} of {len(allowed)} entries"
    )
    return [judged("schemathesis 4.32.5", checked, findings)]


async def _run(program: Path, home: Path, sim: SimulatedExchange, *, is_short: bool) -> Path:
    stage, report = home / "stage.json", home / "fuzz.ndjson"
    tickers = [str(ticker) for ticker in list(sim.exchange.catalog.markets)[:50]]
    facts = {"key_id": sim.keys.key_id, "private_pem": sim.keys.private_pem.decode()}
    stage.write_text(json.dumps({**facts, "tickers": tickers}))
    stage.chmod(0o600)
    process = await asyncio.create_subprocess_exec(
        str(program), "run", "served.json", "--url", sim.base_url, "--checks", "all",
        "-n", str(_EXAMPLES_SHORT if is_short else _EXAMPLES), "--seed", str(_SEED),
        "--report", "ndjson", "--report-ndjson-path", str(report), "--output-sanitize", "false",
        "--no-shrink", "--continue-on-failure", "--generation-database", "none",
        cwd=home,
        env={
            "PATH": "/usr/bin:/bin", "PYTHONPATH": str(_HERE / "foreign"),
            "SCHEMATHESIS_HOOKS": "fuzz_hooks", "CONFORMANCE_FUZZ": str(stage),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_LIMIT_SHORT_S if is_short else _LIMIT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    (home / "fuzz.out").write_bytes(output)
    if process.returncode not in {0, 1} or not report.is_file():
        raise RuntimeError(f"schemathesis could not run, see {home / 'fuzz.out'}")
    return report


def served_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document reduced to what is served, with links from what is created to its uses."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path in served(RestSpec(document)):
        if path is None:
            continue  # judged where the document is: a served path must be in it
        item = document["paths"][path]
        kept = paths.setdefault(path, {k: v for k, v in item.items() if k not in _METHODS})
        kept[method.lower()] = dict(item[method.lower()])
    reduced = {**document, "paths": paths}
    _link(reduced, (_ORDER, "post"), "order_id", "$response.body#/order_id")
    _link(reduced, (f"{_GROUP}/create", "post"), "order_group_id", "$response.body#/order_group_id")
    return reduced


def _link(document: dict[str, Any], source: tuple[str, str], name: str, expression: str) -> None:
    path, method = source
    operation = document["paths"][path][method]
    created = dict(operation["responses"]["201"])
    created["links"] = {
        target["operationId"]: {
            "operationId": target["operationId"],
            "parameters": {name: expression},
        }
        for other, item in document["paths"].items()
        for verb, target in item.items()
        if verb in _METHODS and f"{{{name}}}" in other
    }
    operation["responses"] = {**operation["responses"], "201": created}


# The report


def read_report(path: Path) -> tuple[int, list[Finding]]:
    """How many requests were made, and every failed check."""
    cases, found = 0, list[Finding]()
    with path.open() as file:
        for line in file:
            event = json.loads(line).get("ScenarioFinished")
            recorder = (event or {}).get("recorder")
            if recorder:
                cases += len(recorder.get("interactions", ()))
                found += _failures(recorder)
    return cases, found


def _failures(recorder: Mapping[str, Any]) -> Iterator[Finding]:
    for case_id, checks in recorder.get("checks", {}).items():
        for check in checks:
            if check["status"] not in {"success", "skip"}:
                case = recorder["cases"][case_id]["value"]
                failure = check["failure_info"]["failure"]
                reply = (recorder.get("interactions", {}).get(case_id) or {}).get("response") or {}
                operation = failure["operation"]
                request = f"{case.get('query')} {case.get('body')}"
                evidence = (
                    f"{failure['message']}\n{case['method']} {request[:_EXCERPT]}"
                    f"\n{reply.get('status_code')} {_text(reply.get('content'))[:_EXCERPT]}"
                )
                yield Finding(check["name"], operation, evidence)


def _text(content: object) -> str:
    if isinstance(content, dict):
        return base64.b64decode(content.get("$base64", "")).decode(errors="replace")
    return str(content)


def judge_findings(found: list[Finding], allowed: list[Allowed]) -> Iterator[str]:
    """What no entry of the allow-list covers."""
    for finding in found:
        entry = next((one for one in allowed if one.covers(finding)), None)
        if entry is None:
            yield f"{finding.check} {finding.operation}: {' | '.join(finding.evidence.split())}"
        else:
            entry.used += 1
