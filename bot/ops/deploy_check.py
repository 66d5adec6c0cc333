"""What a start on the platform can see of how it was deployed, and what is wrong with it. Pure.

The restart policy, and what only the dashboard holds, cannot be seen from inside.
"""

from dataclasses import dataclass

_MARGIN_S = 5
_HEALTHCHECK_MIN_S = 60
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "busybox"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """How the platform started us. ``None``: not set as a variable of the service."""

    draining_s: int | None
    overlap_s: int | None
    healthcheck_timeout_s: int | None
    started_by: str
    """The name of the process above the bot's own; empty where there is none to be seen."""


def deploy_warnings(deployed: Deployed, drain_s: float) -> list[str]:
    """One line for each setting that would hurt a hand-over. ``drain_s``: the longest one."""
    told: list[str] = []
    needed_s = round(drain_s) + _MARGIN_S
    if deployed.draining_s is None:
        told.append(
            "RAILWAY_DEPLOYMENT_DRAINING_SECONDS is not set: unless the dashboard has a draining"
            " time, the old process is killed as soon as it is told to stop; set it to 30"
        )
    elif deployed.draining_s < needed_s:
        told.append(
            f"RAILWAY_DEPLOYMENT_DRAINING_SECONDS is {deployed.draining_s}, and a hand-over may"
            f" take {drain_s:g} s; set it to {max(30, needed_s)}"
        )
    if deployed.overlap_s:
        told.append(
            f"RAILWAY_DEPLOYMENT_OVERLAP_SECONDS is {deployed.overlap_s}: the lead is handed over"
            " in the database, the old process only idles; set it to 0"
        )
    if (deployed.healthcheck_timeout_s or _HEALTHCHECK_MIN_S) < _HEALTHCHECK_MIN_S:
        told.append(
            f"RAILWAY_HEALTHCHECK_TIMEOUT_SEC is {deployed.healthcheck_timeout_s}: a database that"
            " is waited for would fail the deploy; set it to 300"
        )
    if deployed.started_by in _SHELLS:
        told.append(
            f"started below {deployed.started_by}, which keeps SIGTERM to itself: begin the start"
            " command with exec (exec python railway_startup.py)"
        )
    return told
