"""Ids as people read them."""

import pytest

from bot.domain.ids import brief


@pytest.mark.parametrize(
    ("instance_id", "shown"),
    [
        ("3f0c9a52-6a1d-4c58-9f2e-0d2f5b1f7e11", "3f0c9a52"),
        ("demo-1", "demo-1"),
        ("3f0c9a52-6a1d", "3f0c9a52-6a1d"),
        ("", ""),
    ],
)
def test_a_uuid_is_told_by_its_first_block_and_any_other_name_whole(
    instance_id: str, shown: str
) -> None:
    assert brief(instance_id) == shown
