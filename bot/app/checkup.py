"""``doctor``: looks at everything the bot needs, and changes nothing."""

import contextlib
from pathlib import Path

from bot.adapters.storage.migrations import SchemaState
from bot.adapters.storage.migrations import check as check_schema
from bot.adapters.storage.preflight import require_rights
from bot.app.basics import missing_file, open_database, real_means
from bot.app.build import exchange_of, signer_of
from bot.app.channel_settings import check_channels, if_right, ping_settings
from bot.app.past_outbox import every_carrier
from bot.app.settings import BotSettings
from bot.app.told import everyone_told
from bot.domain.errors import ConfigurationFault
from bot.ops import doctor


async def examine(settings: BotSettings) -> tuple[doctor.Finding, ...]:
    """Look at everything the bot needs."""
    means = real_means()
    signer = None
    with contextlib.suppress(ConfigurationFault):
        signer = signer_of(settings)
    ping = if_right(ping_settings, settings)
    has_key = settings.secrets.kalshi_key_id is not None

    async def schema() -> str:
        if missing_file(settings) is not None:
            return "absent"
        async with open_database(settings, migrated=False) as database:
            state = await check_schema(database)
            if state is not SchemaState.BEHIND:
                await require_rights(database)
            return state.value

    async with (
        exchange_of(settings, means, signer).open() as exchange,
        every_carrier(settings, means.clock) as carriers,
    ):
        return await doctor.examine(
            [
                doctor.configuration(lambda: check_channels(settings)),
                doctor.signing_key(
                    (lambda: signer_of(settings)) if has_key else None,
                    exchange.balance if signer is not None else None,
                ),
                doctor.database(schema),
                doctor.exchange(exchange.status),
                doctor.clock_skew(exchange.status, means.clock),
                doctor.disk_space(Path.cwd()),
                doctor.writable_directory("backups", settings.backup.dir),
                doctor.writable_directory("reports", settings.collect.reports_dir),
                doctor.port_free(settings.web.host, settings.web.port),
                doctor.some_channel(len(await everyone_told(settings)) - 1),
                *(doctor.channel(name.value, one.probe) for name, one in carriers.items()),
                doctor.external_ping(None if ping is None else ping.place),
            ]
        )
