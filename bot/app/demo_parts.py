"""The two processes of the demo: their commands, environment and files."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.app.simulate import key_id_of, write_private
from bot.simulator.own_captures import own_series

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoParts:
    """What both processes are told; everything they write lies under ``home``."""

    home: Path
    exchange_port: int
    page_port: int
    seed: int
    speed: int = 1
    recording: Path | None = None
    pace_s: float = 0.4
    """Livelier than the simulator's own default, so that a minute shows something."""

    @property
    def page(self) -> str:
        """Where the bot's page is."""
        return f"http://127.0.0.1:{self.page_port}"

    @property
    def exchange(self) -> str:
        """Where the simulated exchange is."""
        return f"http://127.0.0.1:{self.exchange_port}"

    @property
    def key(self) -> Path:
        """The private key that both know."""
        return self.home / "exchange-key.pem"

    def bot_command(self) -> list[str]:
        """The bot by its deployment front door."""
        return [sys.executable, str(_ROOT / "railway_startup.py")]

    def exchange_command(self) -> list[str]:
        """The simulated exchange; the key is made where there is none."""
        if not self.key.exists():
            write_private(self.key, new_key())
        command = [sys.executable, "-m", "bot", "simulate"]
        command += ["--port", str(self.exchange_port), "--key", str(self.key)]
        command += ["--seed", str(self.seed), "--speed", str(self.speed)]
        command += ["--pace", str(self.pace_s)]
        if self.recording:
            command += ["--recording", str(self.recording)]
        return command

    def bot_environment(self) -> dict[str, str]:
        """What makes the bot trade there, on paper."""
        home = self.home.resolve()
        # A recording shows what happened, not what a strategy would choose.
        series = json.dumps(self._series())
        return {
            "BOT_MODE": "trade",
            "BOT_ACCOUNT__NAME": "demo",
            "BOT_TRADING__STARTS_UNHALTED": "true",
            "BOT_COLLECT__SERIES": series,
            "BOT_TRADING__ALWAYS_WATCH": series,
            "BOT_COLLECT__REPORTS_DIR": str(home / "reports"),
            "BOT_COLLECT__STATUS_FILE": str(home / "status.json"),
            "BOT_BACKUP__DIR": str(home / "backups"),
            "BOT_RECORDER__DIR": str(home / "recordings"),
            "BOT_LOCK_FILE": str(home / "bot.lock"),
            "BOT_DEPLOYMENT__DURABLE_DISK": "true",
            "DATABASE_URL": f"sqlite:///{home / 'kalshi.sqlite'}",
            "KALSHI_API_KEY_ID": key_id_of(self.key),
            "KALSHI_PRIVATE_KEY_PATH": str(home / "exchange-key.pem"),
            "KALSHI_REST_URL": self.exchange,
            "KALSHI_WS_URL": f"ws://127.0.0.1:{self.exchange_port}",
            "BOT_EXCHANGE__REQUESTS_PER_SECOND": "100",
            "PORT": str(self.page_port),
            "LOG_FORMAT": "text",
        }

    def _series(self) -> list[str]:
        if self.recording is None:
            return []
        return own_series(self.recording) or ["KXBTC15M", "KXNBAGAME"]


def new_key() -> str:
    """A fresh Ed25519 private key in PEM form."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )
