"""The concrete parts come out of the settings, or a fault that names the setting."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from bot.adapters.kalshi.settings import SessionSettings
from bot.app.basics import real_means
from bot.app.build import (
    candidate_of,
    collect_settings,
    exchange_hosts,
    feed_of,
    lease_terms,
    signer_of,
)
from bot.app.sections import Deployment, ExchangeSection, LeadershipSection, Secrets
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault

_KEY_ID = SecretStr("11111111-2222-3333-4444-555555555555")


def test_without_a_key_nothing_is_signed() -> None:
    assert signer_of(BotSettings()) is None


@pytest.mark.parametrize("content", [None, b"", b"no key", b"\xff\xfe\x00"])
def test_a_key_file_that_cannot_be_used_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "mine.pem"
    if content is not None:
        path.write_bytes(content)
    secrets = Secrets(kalshi_key_id=_KEY_ID, kalshi_private_key_path=path)
    with pytest.raises(ConfigurationFault) as caught:
        signer_of(BotSettings(secrets=secrets))
    assert len(caught.value.faults) == 1
    assert "KALSHI_PRIVATE_KEY" in caught.value.faults[0]


def test_timings_that_would_allow_two_leaders_are_refused() -> None:
    assert lease_terms(BotSettings()).lease_us == 15_000_000
    with pytest.raises(ConfigurationFault):
        lease_terms(BotSettings(leadership=LeadershipSection(gate_s=20)))


def test_a_platforms_deployment_is_one_generation_and_elsewhere_every_start_is_its_own() -> None:
    means = real_means()
    deployed = BotSettings(deployment=Deployment(deployment_id="d1"))
    pair = [candidate_of(deployed, means, 1) for _ in range(2)]
    assert {one.deployment_id for one in pair} == {"d1"}
    assert len({one.instance_id for one in pair}) == 2
    starts = [candidate_of(BotSettings(), means, 1) for _ in range(2)]
    assert len({one.deployment_id for one in starts}) == 2
    restarts = [candidate_of(BotSettings(), means, 1, start_id="s1") for _ in range(2)]
    assert {one.deployment_id for one in restarts} == {"start-s1"}
    assert candidate_of(deployed, means, 1, start_id="s1").deployment_id == "d1"


def test_addresses_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigurationFault, match="exchange: "):
        exchange_hosts(BotSettings(exchange=ExchangeSection(rest_url="ftp://x")))


def test_collecting_defaults_to_the_macro_series() -> None:
    assert "KXFED" in collect_settings(BotSettings()).series


@pytest.mark.parametrize(("mode", "cooldown_us"), [("collect", 60_000_000), ("trade", 10_000_000)])
def test_who_holds_stops_does_not_wait_long_for_the_stream(mode: str, cooldown_us: int) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    secrets = Secrets(kalshi_key_id=_KEY_ID, kalshi_private_key=SecretStr(pem.decode()))
    settings = BotSettings.model_validate({"mode": mode, "secrets": secrets})
    signer = signer_of(settings)
    assert signer is not None
    feed = feed_of(settings, real_means(), signer, session=SessionSettings())
    assert feed.breaker.cooldown_us == cooldown_us
