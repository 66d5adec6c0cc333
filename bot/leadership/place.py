"""Whether a start on this machine may take the lead from where it was last. Pure.

A laptop with the production address in its settings would lead: off the platform
every start is a new deployment. So a start off the platform leads only where the
scope is at home: not after a leader on the platform, alive or dead, and not while
a leader on another machine is alive. An operator who means it says so.
"""

from bot.domain.leadership import InstanceRow


def foreign_place(
    last: InstanceRow | None, *, is_alive: bool, host: str, is_on_platform: bool
) -> str | None:
    """Why a start on ``host`` may not lead after ``last``; ``None`` if it may."""
    if last is None or is_on_platform:
        return None
    if last.is_on_platform:
        return (
            f"{last.scope} was last led on the platform (deployment {last.deployment_id}),"
            f" and this is {host}, off it"
        )
    if is_alive and last.host != host:
        return f"{last.scope} is led on {last.host} (process {last.pid}), and this is {host}"
    return None
