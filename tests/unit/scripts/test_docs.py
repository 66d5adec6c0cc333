"""The generated pages are current, and the requirements page has every row."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_data_page_shows_the_schema_as_it_is() -> None:
    script = _script("data_doc")
    assert script.PAGE.read_text(encoding="utf-8") == script.page()


def test_a_table_without_a_description_is_named() -> None:
    script = _script("data_doc")
    described = script.GROUPS["Collected data"]
    del described["status"]
    with pytest.raises(ValueError, match="tables without a description: status"):
        script.page()


def test_a_column_without_a_meaning_is_named_and_so_is_a_meaning_without_a_column() -> None:
    script = _script("data_doc")
    told = script.data_meanings.TABLES["status"]
    meaning = told.pop("value")
    with pytest.raises(ValueError, match=r"columns without a meaning: status\.value;"):
        script.page()
    told |= {"value": meaning, "valeu": meaning}
    try:
        with pytest.raises(ValueError, match="columns of status described but not there: valeu"):
            script.page()
    finally:
        del told["valeu"]


def test_the_telegram_page_shows_the_commands_as_they_are() -> None:
    script = _script("telegram_doc")
    text = script.PAGE.read_text(encoding="utf-8")
    assert text == script.page(text)


def test_the_alerts_page_shows_the_catalogue_as_it_is() -> None:
    script = _script("alerts_doc")
    text = script.PAGE.read_text(encoding="utf-8")
    assert text == script.page(text)


def test_every_requirement_has_its_row_in_order() -> None:
    text = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| R(\d+) \| .+ \| .+ \| .+ \|$", text, re.MULTILINE)
    assert [int(number) for number in rows] == list(range(1, 382))


def test_files_and_tests_named_as_proof_exist() -> None:
    text = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
    met = [line for line in text.splitlines() if line.startswith("| R") and "not yet (" not in line]
    named = set(
        re.findall(r"`((?:bot|tests|docs|configs|scripts|alembic)/[\w./-]*)`", "\n".join(met))
    )
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    tests = set(re.findall(r"`(test_\w+)`", "\n".join(met)))
    assert [name for name in sorted(tests) if f"def {name}(" not in sources] == []


def test_every_known_defect_has_a_test_that_exists_or_says_that_it_has_none() -> None:
    text = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (00[1-4]-\d+)(?: to (00[1-4]-\d+))? \| .+ \| (.+) \|$", text, re.MULTILINE
    )
    assert len(rows) == 8 + 11 + 7 + 3
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for name, _, proof in rows:
        tests = re.findall(r"`(test_\w+)`", proof)
        assert tests or "not yet (" in proof, name
        assert [test for test in tests if f"def {test}(" not in sources] == [], name


def test_every_test_that_a_page_names_exists() -> None:
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8"))
    }
    page = (ROOT / "docs/leadership_reference.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 30
    assert named <= defined, named - defined
