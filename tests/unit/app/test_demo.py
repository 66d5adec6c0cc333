"""Ports and keys of the demo."""

import socket
from pathlib import Path

import pytest

from bot.app.demo import free_port
from bot.app.demo_parts import new_key
from bot.app.demo_view import DemoView
from bot.app.simulate import key_id_of, public_pem_of, write_private
from bot.domain.errors import ConfigurationFault


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = taken.getsockname()[1]
        found = free_port(wanted)
    assert found != wanted
    assert free_port(found) == found


def test_a_key_of_the_demo_is_private_and_its_id_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key.pem"
    write_private(path, new_key())
    assert path.stat().st_mode & 0o077 == 0
    assert key_id_of(path) == key_id_of(path)
    other = tmp_path / "other.pem"
    write_private(other, new_key())
    assert key_id_of(other) != key_id_of(path)
    assert "PUBLIC KEY" in public_pem_of(path)


@pytest.mark.parametrize("content", [b"", b"nothing", b"-----BEGIN PRIVATE KEY-----\nx"])
def test_a_file_that_holds_no_key_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.pem"
    path.write_bytes(content)
    with pytest.raises(ConfigurationFault, match=r"bad\.pem"):
        public_pem_of(path)


def test_brackets_in_a_message_are_shown_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with DemoView("http://127.0.0.1:1", seconds=None, paths=tmp_path) as view:
        view.show({}, [{"kind": "reply", "text": "/halt [/x] [red]boo"}], 0.0)
    assert "/halt [/x] [red]boo" in capsys.readouterr().out
