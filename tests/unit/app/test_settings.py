"""Where settings come from, and what is said when they are wrong."""

import json
from pathlib import Path

import pytest

from bot.app.setting_lines import origin_among
from bot.app.settings import DOCUMENTED_NAMES, BotSettings, load_settings
from bot.domain.alert_preferences import NOT_QUIET, Verbosity
from bot.domain.alerts import AlertKind
from bot.domain.errors import ConfigurationFault


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable, _ in DOCUMENTED_NAMES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)


def faults_of(config: Path | None = None, **overrides: object) -> list[str]:
    with pytest.raises(ConfigurationFault) as caught:
        load_settings(config, {name.replace("__", "."): value for name, value in overrides.items()})
    return caught.value.faults


def test_without_anything_it_collects_on_paper_from_sqlite() -> None:
    settings = load_settings()
    assert (settings.mode, settings.trading_mode, settings.scope) == (
        "collect",
        "paper",
        "paper:main:0",
    )
    assert settings.database.is_sqlite


def test_the_command_line_wins_over_variables_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "web: {port: 1, host: 127.0.0.9}\nlog: {level: WARNING}\nexchange: {retries: 2}\n"
    )
    monkeypatch.setenv("PORT", "2")
    monkeypatch.setenv("BOT_EXCHANGE__RETRIES", "3")
    settings = load_settings(config, {"log.level": "DEBUG"})
    assert settings.web.port == 2
    assert settings.web.host == "127.0.0.9"
    assert settings.exchange.retries == 3
    assert settings.log.level == "DEBUG"


def test_every_setting_knows_where_it_was_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("web: {port: 1}\nlog: {level: WARNING}\nexchange: {retries: 2}\n")
    monkeypatch.setenv("PORT", "2")
    monkeypatch.setenv("BOT_EXCHANGE__RETRIES", "3")
    origins = load_settings(config, {"log.format": "json", "log.level": None}).origins
    assert origins == {
        "web.port": "PORT",
        "exchange.retries": "BOT_EXCHANGE__RETRIES",
        "log.level": "file",
        "log.format": "command line",
    }
    assert origin_among(origins, "web.port") == "PORT"
    assert origin_among(origins, "web.host") is None
    assert origin_among({"trading.strategies.fade": "file"}, "trading.strategies") == "file"
    assert origin_among({"trading": "BOT_TRADING"}, "trading.live") == "BOT_TRADING"


def test_json_is_read_as_well_as_yaml(tmp_path: Path) -> None:
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"collect": {"series": ["KXCPI"]}}))
    assert load_settings(config).collect.series == ("KXCPI",)


def test_every_fault_is_told_at_once_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("mode: colect\nexchange: {retries: 0}\nweb: {prot: 3}\n")
    monkeypatch.setenv("KALSHI_API_KEY", "key-without-its-private-half")
    faults = faults_of(config)
    assert len(faults) == 3
    assert "mode" in faults[0]
    assert "BOT_MODE" in faults[0]
    assert "exchange.retries" in faults[1]
    assert "BOT_EXCHANGE__RETRIES" in faults[1]
    assert faults[2] == "web.prot: unknown setting; did you mean port?"


def test_the_loop_breakers_are_set_by_their_documented_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (
        ("REST_FAILURE_THRESHOLD", "7"),
        ("REST_CIRCUIT_BREAKER_SECONDS", "90"),
        ("WS_FAILURE_THRESHOLD", "3"),
        ("WS_FAILURE_COOLDOWN_SECONDS", "0.5"),
    ):
        monkeypatch.setenv(name, value)
    exchange = load_settings().exchange
    assert (exchange.rest_failure_threshold, exchange.rest_cooldown_s) == (7, 90)
    assert (exchange.ws_failure_threshold, exchange.ws_cooldown_s) == (3, 0.5)


@pytest.mark.parametrize(
    "text",
    ["exchange: {api_key: abc}", "telegram: {bot_token: abc}", "secrets: {portal_token: abc}"],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(text)
    (fault,) = faults_of(config)
    assert "secrets do not belong in the configuration file" in fault
    assert "abc" not in fault


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [", "not valid YAML or JSON"),
        (b"- a\n- b", "must hold sections"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_an_unreadable_file_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_bytes(content)
    (fault,) = faults_of(config)
    assert str(config) in fault
    assert said in fault


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path / "absent.yaml")
    assert "no such file" in fault


def test_secrets_come_from_the_secrets_file_and_never_show(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "secrets.env").write_text(
        "KALSHI_API_KEY_ID=the-key-id\nKALSHI_PRIVATE_KEY=the-private-half\n"
    )
    settings = load_settings()
    assert settings.secrets.kalshi_key_id is not None
    assert "the-key-id" in settings.secrets.values()
    assert "the-key-id" not in repr(settings)
    assert "the-private-half" not in repr(settings)


def test_the_alias_names_of_the_documents_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_API_KEY", "k")
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PEM_PATH", "key.pem")
    monkeypatch.setenv("TELEGRAM_ADMIN_IDS", "1, 2 3")
    settings = load_settings()
    assert settings.secrets.kalshi_private_key_path == Path("key.pem")
    assert settings.telegram.admin_ids == (1, 2, 3)


def test_an_unknown_time_zone_is_a_fault_and_a_known_one_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings().operator.time_zone == "UTC"
    monkeypatch.setenv("OPERATOR_TIME_ZONE", "Europe/Vienna")
    assert load_settings().operator.time_zone == "Europe/Vienna"
    for wrong in ("Europe/Wien", "/etc/passwd", "Europe"):
        monkeypatch.setenv("OPERATOR_TIME_ZONE", wrong)
        (fault,) = faults_of()
        assert "must be the name of a time zone" in fault


def test_alerts_are_set_in_the_words_of_yaml(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("alerts: {quiet_hours: 22:30-07, verbosity: {fill_seen: off, resumed: on}}")
    section = load_settings(config).alerts
    assert section.quiet_hours.shown == "22:30-07:00"
    assert section.verbosity == {
        AlertKind.FILL_SEEN: Verbosity.OFF,
        AlertKind.RESUMED: Verbosity.ON,
    }
    config.write_text("alerts: {quiet_hours: off}")
    assert load_settings(config).alerts.quiet_hours == NOT_QUIET


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{quiet_hours: 25-07}", "for example 23-07"),
        ("{verbosity: {halt_set: off}}", "halt_set always interrupts"),
        ("{verbosity: {no_such: off}}", "alerts.verbosity.no_such"),
        ("{verbosity: {stale: loud}}", "'on', 'silent' or 'off'"),
        ("{summary_at: '8:00'}", "alerts.summary_at"),
    ],
)
def test_alerts_that_cannot_be_set_so_are_told(section: str, said: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"alerts: {section}")
    (fault,) = faults_of(config)
    assert said in fault


def test_a_key_without_its_other_half_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PATH", "key.pem")
    (fault,) = faults_of()
    assert fault.startswith("KALSHI_API_KEY_ID is missing")


def live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_API_KEY_ID", "k")
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PATH", "key.pem")
    monkeypatch.setenv("KALSHI_ENVIRONMENT", "production")
    monkeypatch.setenv("ENABLE_LIVE_TRADING", "1")
    monkeypatch.setenv("BOT_MODE", "trade")


def test_live_trading_needs_the_environment_named(monkeypatch: pytest.MonkeyPatch) -> None:
    live(monkeypatch)
    monkeypatch.setenv("RAILWAY_ENVIRONMENT_NAME", "pr-17")
    monkeypatch.setenv("LIVE_ENVIRONMENT", "production")
    (fault,) = faults_of()
    assert "so that a copy of production never trades" in fault


def test_live_trading_is_possible_where_it_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    live(monkeypatch)
    monkeypatch.setenv("RAILWAY_ENVIRONMENT_NAME", "production")
    monkeypatch.setenv("LIVE_ENVIRONMENT", "production")
    assert load_settings().scope == "live:main:0"


def test_the_live_switch_alone_does_not_change_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    live(monkeypatch)
    monkeypatch.setenv("BOT_MODE", "collect")
    assert any("mode is not trade" in fault for fault in faults_of())


def test_the_example_file_holds_nothing_but_the_defaults() -> None:
    example = Path(__file__).parents[3] / "config" / "config.example.yaml"
    assert load_settings(example).model_dump() == BotSettings().model_dump()


def test_the_address_without_a_pooler_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://me@pooler:6543/kalshi")
    monkeypatch.setenv("DATABASE_UNPOOLED_URL", "postgres://me@server:5432/kalshi?sslmode=require")
    url = load_settings().database.url.get_secret_value()
    assert url == "postgres://me@server:5432/kalshi?sslmode=require"


def test_how_the_platform_deploys_is_read_from_its_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAILWAY_DEPLOYMENT_DRAINING_SECONDS", "30")
    monkeypatch.setenv("RAILWAY_DEPLOYMENT_OVERLAP_SECONDS", "0")
    section = load_settings().deployment
    assert (section.draining_s, section.overlap_s, section.healthcheck_timeout_s) == (30, 0, None)
    monkeypatch.setenv("RAILWAY_DEPLOYMENT_DRAINING_SECONDS", "30s")
    (fault,) = faults_of()
    assert "RAILWAY_DEPLOYMENT_DRAINING_SECONDS" in fault


def test_the_stream_is_stored_where_it_runs_anyway() -> None:
    key = {"secrets.kalshi_key_id": "k", "secrets.kalshi_private_key": "p"}
    assert not load_settings().is_streaming
    assert load_settings(None, {"mode": "trade"} | key).is_streaming
    assert not load_settings(None, {"mode": "trade", "stream.enabled": False} | key).is_streaming


def test_the_stream_is_set_by_its_documented_names(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "KALSHI_API_KEY_ID": "k",
        "KALSHI_PRIVATE_KEY": "p",
        "KALSHI_WS_ENABLE": "1",
        "KALSHI_WS_CHANNELS": "ticker,market_lifecycle_v2",
        "MAX_ACTIVE_TICKERS": "9",
        "WS_ACTIVE_ROUND_ROBIN": "0",
        "WS_SUB_REFRESH_SECONDS": "30",
        "WS_SHARD_COUNT": "4",
        "WS_SHARD_ID": "3",
        "WS_SHARD_KEY": "market",
        "WS_DB_BATCH_SIZE": "500",
        "WS_DB_FLUSH_SECONDS": "0.5",
        "WS_QUEUE_MAXSIZE": "5000",
        "WS_QUEUE_BACKPRESSURE": "throttle",
        "WS_TICK_DEDUP_ENABLE": "0",
        "WS_HEARTBEAT_SECONDS": "15",
        "TICKS_RETENTION_DAYS": "90",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    section = load_settings().stream
    assert section.enabled
    assert section.channels == {"ticker", "market_lifecycle_v2"}
    assert (section.max_active_tickers, section.round_robin, section.refresh_s) == (9, False, 30)
    assert (section.shard_count, section.shard_id, section.shard_key) == (4, 3, "market")
    assert (section.batch_size, section.flush_s, section.queue_max) == (500, 0.5, 5_000)
    assert (section.backpressure, section.dedup) == ("throttle", False)
    assert (section.heartbeat_s, section.retention_days) == (15, 90)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"WS_SHARD_COUNT": "2", "WS_SHARD_ID": "2"}, "2 must be below stream.shard_count 2"),
        ({"WS_QUEUE_BACKPRESSURE": "ignore"}, "WS_QUEUE_BACKPRESSURE"),
        ({"WS_SHARD_KEY": "series"}, "WS_SHARD_KEY"),
        ({"WS_DB_BATCH_SIZE": "9000", "WS_QUEUE_MAXSIZE": "8000"}, "set WS_DB_BATCH_SIZE or"),
        ({"KALSHI_WS_CHANNELS": "ticker,fills"}, "KALSHI_WS_CHANNELS"),
        ({"KALSHI_WS_ENABLE": "1"}, "KALSHI_WS_ENABLE needs KALSHI_API_KEY_ID"),
        (
            {
                "BOT_MODE": "trade",
                "KALSHI_API_KEY_ID": "k",
                "KALSHI_PRIVATE_KEY": "p",
                "WS_QUEUE_BACKPRESSURE": "block",
            },
            "in mode trade leave WS_QUEUE_BACKPRESSURE at drop",
        ),
    ],
)
def test_a_stream_that_cannot_be_is_refused_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], told: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    [fault] = faults_of()
    assert told in fault
