"""The bot's service and its database, as Railway's Infrastructure as Code.

`railway config plan` shows what it would change, `railway config apply` does it; nothing reads
this file during a deploy. It holds what `railway.json` holds, which Railway no longer reads after
2026-12-01 and which new services cannot use; while a service is still managed by that file,
`plan` refuses this one.

The fields inside `deploy` are passed on as they are, and Railway's reference does not name them:
look for them in the plan. Drain and overlap are therefore service variables as well, which are
documented. What is left for the dashboard is in docs/railway.md.
"""

# ruff: noqa: INP001 - the tool runs this file, nobody imports it

from railway_sdk import Project, define_railway, postgres, preserve, project, service

SECRETS = (
    "KALSHI_API_KEY_ID",
    "KALSHI_PRIVATE_KEY",
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_ADMIN_IDS",
    "WEB_PORTAL_PASSWORD",
)
"""Typed into the dashboard and sealed there; named here so that an apply keeps them."""


@define_railway
def main(ctx: object = None) -> Project:  # noqa: ARG001 - the tool passes it by this name
    """One service, one process, one PostgreSQL."""
    database = postgres("Postgres")
    bot = service(
        "bot",
        start="exec python railway_startup.py",
        healthcheck="/health",
        healthcheckTimeout=300,
        replicas=1,
        deploy={
            "restartPolicyType": "ON_FAILURE",
            "restartPolicyMaxRetries": 10,
            "overlapSeconds": 0,
            "drainingSeconds": 30,
        },
        env={
            "DATABASE_URL": database.env.DATABASE_URL,
            "RAILWAY_DEPLOYMENT_DRAINING_SECONDS": "30",
            "RAILWAY_DEPLOYMENT_OVERLAP_SECONDS": "0",
            "RAILWAY_HEALTHCHECK_TIMEOUT_SEC": "300",
            **{name: preserve() for name in SECRETS},
        },
    )
    return project("kalshi-bot", resources=[database, bot])
