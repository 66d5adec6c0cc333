"""A running process without its network: the real store, nobody to trade with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from bot.adapters.storage.database import Database
from bot.app.basics import real_means
from bot.app.build import candidate_of, exchange_of
from bot.app.running import Parts, Running
from bot.app.sections import BackupSection, DatabaseSection
from bot.app.settings import BotSettings
from bot.domain.operations import Authority

NUMBER = 41


def settings_at(url: str, home: Path) -> BotSettings:
    return BotSettings(
        database=DatabaseSection(url=SecretStr(url)),
        backup=BackupSection(dir=home / "backups"),
        lock_file=home / "bot.lock",
    )


@asynccontextmanager
async def running_at(url: str, home: Path, **changes: object) -> AsyncIterator[Running]:
    settings, means = settings_at(url, home).model_copy(update=changes), real_means()
    database = await Database.open(url)
    try:
        yield Running(
            Parts(
                settings=settings,
                means=means,
                database=database,
                exchange=exchange_of(settings, means, None),
                signer=None,
                candidate=candidate_of(settings, means, 1),
            )
        )
    finally:
        await database.close()


def authority(number: int = NUMBER) -> Authority:
    return Authority(number=number, channel="telegram", actor="telegram:11 Ada", at_us=1)
