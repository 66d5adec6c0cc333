"""A scan of the whole exchange is refused before it starts where it would not fit."""

from pathlib import Path

import pytest

from bot.app.room import require_room, retention_settings
from bot.app.sections import CollectSection
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault
from tests.unit.app.support import settings_at


def settings_of(tmp_path: Path, url: str | None = None, **collect: object) -> BotSettings:
    plain = settings_at(url or f"sqlite:///{tmp_path / 'made' / 'later.sqlite'}", tmp_path)
    return plain.model_copy(update={"collect": CollectSection(whole_exchange=True, **collect)})


def refused(settings: BotSettings) -> str:
    with pytest.raises(ConfigurationFault) as fault:
        require_room(settings)
    return str(fault.value)


def test_without_the_option_nothing_is_asked(tmp_path: Path) -> None:
    require_room(settings_at(f"sqlite:///{tmp_path / 'a.sqlite'}", tmp_path))


def test_the_option_needs_both_limits(tmp_path: Path) -> None:
    told = refused(settings_of(tmp_path))
    assert "collect.storage_budget_gib: set it" in told
    assert "collect.retention_days: set it" in told


def test_more_than_the_budget_is_refused_with_the_numbers(tmp_path: Path) -> None:
    told = refused(settings_of(tmp_path, storage_budget_gib=1, retention_days=30))
    assert "about 6.6 GiB" in told
    assert "125000 markets kept 30 days" in told
    assert "(1.0 GiB)" in told


def test_more_than_the_disk_holds_is_refused(tmp_path: Path) -> None:
    huge = {"storage_budget_gib": 10**7, "retention_days": 3_650, "whole_every_hours": 1}
    told = refused(settings_of(tmp_path, expected_markets=10**8, **huge))
    assert "the disk has" in told


def test_a_server_is_judged_by_the_budget_alone(tmp_path: Path) -> None:
    huge = {"storage_budget_gib": 10**7, "retention_days": 3_650, "whole_every_hours": 1}
    require_room(settings_of(tmp_path, "postgresql://bot@db/bot", **huge))


def test_what_fits_starts(tmp_path: Path) -> None:
    require_room(
        settings_of(tmp_path, storage_budget_gib=20, retention_days=1, expected_markets=99)
    )


def test_how_long_is_kept_is_the_operators_word(tmp_path: Path) -> None:
    told = retention_settings(
        settings_of(
            tmp_path, retention_days=9, series_retention_days=90, retention_keeps_last=False
        )
    )
    assert (told.exchange_days, told.series_days, told.keeps_last) == (9, 90, False)
