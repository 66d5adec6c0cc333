"""What a log line looks like, and what it never holds."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.kit.logs import LogSettings, RecordTap, configure_logging
from bot.kit.secrecy import redact

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


@pytest.fixture(autouse=True)
def root_logger_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(settings: LogSettings, message: str, **facts: object) -> str:
    stream = io.StringIO()
    configure_logging(settings, stream)
    logging.getLogger("bot.collect.snapshots").error(message, extra=facts)
    return stream.getvalue()


def test_text_reads_as_a_phrase_with_facts() -> None:
    line = lines(LogSettings(), "page failed", series="KXCPI", reason="timed out")
    assert line.endswith(
        'ERROR   bot collect.snapshots: page failed series=KXCPI reason="timed out"\n'
    )


def test_json_is_one_object_a_line() -> None:
    body = json.loads(lines(LogSettings(format="json", service="ws"), "page failed", tries=5))
    assert (body["level"], body["service"], body["message"], body["tries"]) == (
        "error",
        "ws",
        "page failed",
        5,
    )


def test_journald_sees_the_priority_on_every_line() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(has_priority_prefix=True), stream)
    logging.getLogger("bot").error("it failed", exc_info=ValueError("broken"))
    assert all(line.startswith("<3>") for line in stream.getvalue().splitlines())


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "secret",
    [
        "123456789:AAHk-abcdefghijklmnopqrstuvwxyz012345",
        "MIIEpAIBAAKCAQEA",
        "hunter22",
        "a-value-only-we-know",
    ],
)
def test_no_secret_reaches_a_line(form: str, secret: str) -> None:
    settings = LogSettings(format=form, secrets=("a-value-only-we-know",))
    line = lines(
        settings,
        "all of them",
        url="https://api.telegram.org/bot123456789:AAHk-abcdefghijklmnopqrstuvwxyz012345/getMe",
        key=PEM,
        dsn="postgresql://bot:hunter22@db/bot",
        other="a-value-only-we-know",
    )
    assert secret not in line


def test_a_truncated_key_is_taken_out_too() -> None:
    assert "MIIE" not in redact(PEM[:50])


def test_a_secret_in_a_traceback_is_taken_out() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(secrets=("s3cret-value",)), stream)
    logging.getLogger("bot").error("it failed", exc_info=ValueError("s3cret-value"))
    assert "s3cret-value" not in stream.getvalue()


def test_an_unwritable_file_falls_back_to_stdout(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    line = lines(LogSettings(file=blocked / "bot.log", stdout=False), "still here")
    assert "log file not writable" in line
    assert "still here" in line


def test_the_tap_takes_warnings_without_secrets() -> None:
    taken: list[dict[str, object]] = []
    settings = LogSettings(secrets=("s3cret-value",))
    logger = logging.getLogger("bot.tapped")
    tap = RecordTap(settings, lambda row: taken.append(dict(row)))
    logger.addHandler(tap)
    logger.info("not taken")
    logger.error("api error", extra={"detail": "s3cret-value"})
    logger.removeHandler(tap)
    assert [row["message"] for row in taken] == ["api error"]
    assert "s3cret-value" not in str(taken)
