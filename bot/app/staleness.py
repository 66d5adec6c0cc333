"""Is the periodic work fresh? One judgement for ``/healthz`` and ``healthcheck``."""

from collections.abc import Mapping

from bot.kit.times import parse_rfc3339


def judge_staleness(
    status: Mapping[str, str], *, leader: str | None, now_us: int, stale_after_us: int
) -> tuple[bool, dict[str, object]]:
    """Each check as ``ok``, ``stale`` or ``missing``, and whether all are ``ok``."""
    success = status.get("last_success_at_utc")
    if success is None:
        collect = "missing: no complete cycle yet"
    else:
        age_s = (now_us - parse_rfc3339(success)) // 1_000_000
        limit_s = stale_after_us // 1_000_000
        fresh = age_s <= limit_s
        collect = (
            f"{'ok' if fresh else 'stale'}: last complete cycle {age_s} s ago, limit {limit_s} s"
        )
    checks: dict[str, object] = {
        "leader": f"ok: {leader}" if leader else "missing: nobody leads",
        "collect": collect,
    }
    return all(str(told).startswith("ok") for told in checks.values()), checks
