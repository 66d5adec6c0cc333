"""What the bot tells its supervisor, over a socket of which each end notices the other's death.

One JSON line a message: who the bot is, once, and until when it may hold the lead,
with every renewal. Neither end ever waits for the other.
"""

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

OPTION = "--supervisor-fd"
"""How the child is told its end of the socket; also marks a command line as the child's."""
START_OPTION = "--start-id"
"""Names the start of the supervisor: the bots it runs are one deployment."""

_READ_MAX = 65_536
_ORPHANED = b"the supervisor is gone; stopping in order\n"


def is_child(arguments: Iterable[str]) -> bool:
    """Whether a supervisor started this command line."""
    return any(one.startswith(f"{OPTION}=") for one in arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Everything needed to give up the lead of this process for it."""

    instance_id: str
    """Made for this one process start."""
    scope: str
    database: str = field(repr=False)
    """The address it uses, password included: it stays in the two processes."""


class Pulse:
    """The bot's end."""

    def __init__(self, descriptor: int, start_id: str) -> None:
        """``descriptor`` is the inherited socket; children of the bot do not get it.

        ``start_id`` names the start of the supervisor.
        """
        self.start_id = start_id
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)

    def introduce(self, identity: Identity) -> None:
        """Say who we are, before anything is registered."""
        self._send({"identity": asdict(identity)})

    def beat(self, deadline_us: int | None) -> None:
        """The lead is held until this monotonic time at most; ``None``: not held."""
        self._send({"deadline_us": deadline_us})

    def watch(self) -> None:
        """Stop this process in order, as SIGTERM does, once the supervisor is gone."""
        threading.Thread(target=self._wait_for_its_end, name="supervisor", daemon=True).start()

    def close(self) -> None:
        """Leave the supervisor without a word."""
        self._socket.close()

    def _wait_for_its_end(self) -> None:
        with contextlib.suppress(OSError):
            while self._socket.recv(1):
                continue
        os.write(2, _ORPHANED)
        os.kill(os.getpid(), signal.SIGTERM)

    def _send(self, message: dict[str, object]) -> None:
        line = json.dumps(message).encode() + b"\n"
        # A stopped supervisor must not stop the bot: what does not fit is left unsaid.
        with contextlib.suppress(OSError):
            self._socket.send(line, socket.MSG_DONTWAIT)


class Ear:
    """The supervisor's end."""

    def __init__(self, heard: socket.socket) -> None:
        heard.setblocking(False)
        self.socket = heard
        self.is_open = True
        self.identity: Identity | None = None
        self.deadline_us: int | None = None
        """Monotonic; ``None`` while the bot does not hold the lead."""
        self._rest = b""

    def listen(self) -> None:
        """Take in everything said so far; never waits."""
        while self.is_open:
            try:
                heard = self.socket.recv(_READ_MAX)
            except BlockingIOError:
                return
            except OSError:
                heard = b""
            self.is_open = bool(heard)
            *lines, self._rest = (self._rest + heard).split(b"\n")
            for line in lines:
                self._note(json.loads(line))

    def close(self) -> None:
        """The bot is dead and buried."""
        self.is_open = False
        self.socket.close()

    def _note(self, message: dict[str, object]) -> None:
        match message:
            case {"identity": dict(facts)}:
                self.identity = Identity(**facts)
            case {"deadline_us": int() | None as deadline_us}:
                self.deadline_us = deadline_us
            case _:
                raise ValueError(f"no message of ours: {sorted(message)}")
