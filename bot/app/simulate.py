"""``python -m bot simulate``: the simulated exchange as a process."""

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import click
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bot.domain.errors import ConfigurationFault
from bot.kit.logs import LogSettings, configure_logging
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings, WorldSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """What the command line gave."""

    host: str
    port: int
    seed: int
    speed: int
    pace: float
    recording: Path | None
    make_key: Path | None
    key: Path | None
    faults: Path | None
    rate_limit: bool


def run_simulator(options: SimulateOptions) -> int:
    """Serve until SIGINT or SIGTERM; exit code 0."""
    configure_logging(LogSettings(service="exchange"))
    if options.make_key and options.make_key.exists():
        raise ConfigurationFault(
            [f"{options.make_key}: exists already; use it with --key, or name another file"]
        )
    try:
        settings = SimulatorSettings(
            host=options.host,
            port=options.port,
            seed=options.seed,
            speed=options.speed,
            recording=options.recording,
            faults=options.faults,
            limits=RateLimits(is_on=options.rate_limit),
            worlds=WorldSettings(pace_us=round(options.pace * 1_000_000)),
        )
    except ValueError as error:
        raise ConfigurationFault([str(error)]) from None
    return asyncio.run(_serve(settings, options))


async def _serve(settings: SimulatorSettings, options: SimulateOptions) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(one, stop.set)
    async with SimulatedExchange(settings) as exchange:
        click.echo(f"REST      {exchange.base_url}")
        click.echo(f"WebSocket {exchange.ws_url}")
        if options.make_key:
            write_private(options.make_key, exchange.keys.private_pem.decode())
        for path in filter(None, (options.make_key, options.key)):
            # Named after its public half, so that the id is the same in the next run.
            key_id, public = key_id_of(path), public_pem_of(path).encode()
            exchange.exchange.keys.register(key_id, public, exchange.user_id)
            click.echo(f"key       {path}")
            click.echo(f"key id    {key_id}")
        await stop.wait()
    return 0


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


def key_id_of(path: Path) -> str:
    """The id a key gets at the simulated exchange: named after its public half."""
    return str(uuid5(NAMESPACE_URL, public_pem_of(path)))


def public_pem_of(path: Path) -> str:
    """The public half of a private key's file.

    Raises:
        ConfigurationFault: the file holds no usable private key.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        raise ConfigurationFault([f"{path}: not a readable private key in PEM form"]) from None
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ConfigurationFault([f"{path}: the key must be RSA or Ed25519"])
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
