"""Logs how the platform deployed this process, and what of it would hurt a hand-over."""

import logging
from pathlib import Path

from bot.app.settings import BotSettings
from bot.ops.deploy_check import Deployed, deploy_warnings
from bot.ops.processes import started_by

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[2]


def log_deployment(settings: BotSettings) -> None:
    """Say what is in force. Off the platform there is nothing to say."""
    section = settings.deployment
    if section.deployment_id is None:
        return
    deployed = Deployed(
        draining_s=section.draining_s,
        overlap_s=section.overlap_s,
        healthcheck_timeout_s=section.healthcheck_timeout_s,
        started_by=started_by(_ROOT),
    )
    logger.info(
        "deployed",
        extra={
            "deployment": section.deployment_id,
            "replica": section.replica_id,
            "environment": section.environment,
            "draining_s": deployed.draining_s,
            "overlap_s": deployed.overlap_s,
            "healthcheck_timeout_s": deployed.healthcheck_timeout_s,
            "started_by": deployed.started_by or "the system",
        },
    )
    for reason in deploy_warnings(deployed, settings.leadership.drain_s):
        logger.warning("deployment setting", extra={"reason": reason})
