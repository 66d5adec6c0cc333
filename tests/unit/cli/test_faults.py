"""Every fault of a configuration is one clear line on standard error, with exit code 2."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.cli import main

_KEY_ID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def root_logger() -> Iterator[None]:
    """A command sets the log up for its process, which here is the test's."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root_logger: None) -> pytest.MonkeyPatch:
    """An empty directory and an environment with nothing of ours but a good key."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "TELEGRAM_BOT_TOKEN", "PORT", "ENVIRONMENT", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "key.pem").write_bytes(pem)
    monkeypatch.setenv("KALSHI_API_KEY_ID", _KEY_ID)
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PATH", str(tmp_path / "key.pem"))
    monkeypatch.setenv("BOT_WEB__PORT", "0")
    return monkeypatch


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    said = capsys.readouterr()
    assert left.value.code == 2, said
    lines = said.err.splitlines()
    assert all(line.startswith("configuration: ") for line in lines), said
    return lines


@pytest.mark.parametrize(
    ("faulty", "words"),
    [
        ({"KALSHI_PRIVATE_KEY_PATH": "nowhere.pem"}, "nowhere.pem: No such file"),
        ({"KALSHI_PRIVATE_KEY_PATH": ""}, "KALSHI_PRIVATE_KEY"),
        ({"KALSHI_PRIVATE_KEY": "no key at all, sir"}, "KALSHI_PRIVATE_KEY"),
        ({"BOT_MODE": "gamble"}, "mode: "),
        ({"DISCOVERY_EVENT_STATUSES": "opne"}, "'unopened', 'open', 'closed' or 'settled'"),
        ({"DATABASE_URL": "mysql://root:hunter2@db/x"}, "mysql"),
        ({"TELEGRAM_BOT_TOKEN": "123:short-secret"}, "TELEGRAM_BOT_TOKEN"),
        ({"TELEGRAM_ADMIN_IDS": "ada"}, "TELEGRAM_ADMIN_IDS"),
        ({"BOT_LEADERSHIP__GATE_S": "99"}, "gate"),
        ({"BOT_EXCHANGE__RETRYS": "3"}, "did you mean retries?"),
        ({"KALSHI_REST_URL": "ftp://x"}, "exchange"),
        ({"BOT_MODE": "trade", "BOT_TRADING__STRATEGIES": '{"lottery": {}}'}, "lottery"),
        ({"BOT_MODE": "trade", "KALSHI_API_KEY_ID": "", "KALSHI_PRIVATE_KEY_PATH": ""}, "signed"),
        (
            {"BOT_MODE": "trade", "ENABLE_LIVE_TRADING": "1", "KALSHI_ENVIRONMENT": "production"},
            "LIVE_ENVIRONMENT",
        ),
        ({"ENABLE_LIVE_TRADING": "1"}, "--mode trade"),
        ({"BOT_MODE": "analyze"}, "OPENAI_API_KEY"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_a_wrong_setting_is_one_line_that_names_it_and_repeats_no_secret(
    faulty: dict[str, str],
    words: str,
    place: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in faulty.items():
        place.setenv(name, value)
    lines = told(["run"], capsys)
    assert len(lines) == 1, lines
    assert words in lines[0]
    for secret in ("hunter2", "short-secret", "sir"):
        assert secret not in lines[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        (b"mode: [collect", "not valid YAML or JSON"),
        (b"- collect", "must hold sections"),
        (b"\xff\xfe", "cannot be read"),
        (b"a: 1\nnote: [verysecretvalue\nb: ]", "at line 3, column"),
        (b"a: \x07", "no text"),
        (b"telegram:\n  token: 123456789:AAabcdefghijklmnopqrstuvwxyz0123456\n", "telegram.token"),
        (b"kalshi_api_key: verysecretvalue\n", "kalshi_api_key"),
    ],
    ids=[
        "missing",
        "broken",
        "a list",
        "no text",
        "secret in a broken line",
        "a bell",
        "token inside",
        "key inside",
    ],
)
def test_a_faulty_file_is_one_line_and_no_secret_is_repeated(
    content: bytes | None,
    words: str,
    place: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    lines = told(["run-once", "--mode", "collect", "--config", str(path)], capsys)
    assert len(lines) == 1, lines
    assert words in lines[0]
    for secret in ("verysecretvalue", "AAabcdefghijklmnopqrstuvwxyz"):
        assert secret not in lines[0]


def test_every_fault_is_told_at_once(
    place: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.setenv("BOT_MODE", "gamble")
    place.setenv("LOG_LEVEL", "LOUD")
    place.setenv("BOT_WEB__PORT", "123456")
    assert len(told(["run"], capsys)) == 3


def test_the_database_address_is_checked_with_everything_else(
    place: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.setenv("DATABASE_URL", "mysql://root:hunter2@db/x")
    place.setenv("ENABLE_LIVE_TRADING", "1")
    lines = told(["run"], capsys)
    assert len(lines) == 2
    assert "database.url" in lines[0]
