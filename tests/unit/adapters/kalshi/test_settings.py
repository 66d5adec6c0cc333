"""Where Kalshi is and what limits make sense."""

import pytest

from bot.adapters.kalshi.settings import RestSettings, SessionSettings, StreamSettings, hosts_of


def test_each_environment_has_its_own_hosts() -> None:
    demo, production = hosts_of("demo"), hosts_of("production")
    assert demo.rest_url == "https://external-api.demo.kalshi.co/trade-api/v2"
    assert demo.stream_url == "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2"
    assert production.rest_url.endswith(".kalshi.com/trade-api/v2")
    assert production.stream_url.endswith(".kalshi.com/trade-api/ws/v2")


def test_a_bare_host_gets_the_venues_paths() -> None:
    hosts = hosts_of("demo", "http://127.0.0.1:8090/", "ws://127.0.0.1:8090")
    assert hosts.rest_url == "http://127.0.0.1:8090/trade-api/v2"
    assert hosts.stream_url == "ws://127.0.0.1:8090/trade-api/ws/v2"


def test_a_given_path_is_kept() -> None:
    assert hosts_of("demo", "https://x.test/other/v3/").rest_url == "https://x.test/other/v3"


@pytest.mark.parametrize(
    "environment, rest_url, stream_url",
    [
        ("staging", None, None),
        ("demo", "ftp://x.test", None),
        ("demo", "https://", None),
        ("demo", "https://x.test/?a=b", None),
        ("demo", None, "https://x.test"),
    ],
)
def test_other_places_are_refused(
    environment: str, rest_url: str | None, stream_url: str | None
) -> None:
    with pytest.raises(ValueError, match=r"environment|exchange url"):
        hosts_of(environment, rest_url, stream_url)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RestSettings(requests_per_second=0),
        lambda: RestSettings(tries=0),
        lambda: RestSettings(backoff_base_s=9),
        lambda: RestSettings(subaccount=64),
        lambda: SessionSettings(markets_per_subscription=0),
        lambda: SessionSettings(command_timeout_us=0),
        lambda: SessionSettings(retry_max_us=1),
        lambda: StreamSettings(failure_threshold=0),
        lambda: StreamSettings(silence_max_s=0),
        lambda: StreamSettings(backoff_base_s=31),
    ],
)
def test_senseless_limits_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match="must"):
        make()  # type: ignore[operator]
