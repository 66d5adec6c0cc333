"""A wrong knob is named together with the way to set it right."""

import pytest

from bot.collect.settings import CollectSettings
from bot.domain.ids import SeriesTicker


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"series": ()}, "series"),
        ({"series": ("KXFED", "KXFED")}, "twice"),
        ({"page_limit": 1_001}, "page_limit"),
        ({"page_limit": 0}, "page_limit"),
        ({"concurrency": 0}, "concurrency"),
        ({"deadline_s": 3_600}, "deadline_s"),
        ({"outages_max": 0}, "outages_max"),
        ({"reports_kept": 0}, "reports_kept"),
        ({"pages_per_series_max": 0}, "pages_per_series_max"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_by_name(wrong, named) -> None:
    with pytest.raises(ValueError, match=named):
        CollectSettings(**wrong)


def test_the_defaults_are_the_macro_series() -> None:
    assert "KXFED" in CollectSettings().series


def test_the_fingerprint_names_the_filter_and_nothing_else() -> None:
    fed, cpi = SeriesTicker("KXFED"), SeriesTicker("KXCPI")
    both = CollectSettings(series=(fed, cpi)).fingerprint
    assert both == CollectSettings(series=(cpi, fed), page_limit=5, concurrency=1).fingerprint
    assert both != CollectSettings(series=(fed,)).fingerprint
