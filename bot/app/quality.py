"""``quality``: the data-quality report, from the database alone."""

from bot.adapters.storage.quality import SqlQualityReads
from bot.app.basics import open_existing_database
from bot.app.settings import BotSettings
from bot.collect.quality_report import QualityReport, judge_quality
from bot.kit.times import hour_key


async def read_quality(settings: BotSettings, hour_us: int | None) -> QualityReport:
    """Judge the hour that holds a moment, by default the newest stored one.

    Raises:
        StorageUnavailable: there is no database.
    """
    async with open_existing_database(settings) as database:
        hour = None if hour_us is None else hour_key(hour_us)
        return await judge_quality(SqlQualityReads(database), hour)
