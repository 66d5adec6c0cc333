"""The far end of a simulated connection, without a socket."""

import json
from typing import Any

from bot.simulator.subscriptions import Outlet


class Wire:
    """Collects what a connection would send."""

    def __init__(self, capacity: int = 100) -> None:
        self.sent: list[dict[str, Any]] = []
        self.acts: list[str] = []
        self.capacity = capacity

    def outlet(self, user_id: str = "u") -> Outlet:
        return Outlet(
            user_id=user_id,
            send=self.send,
            send_always=lambda frame: self.sent.append(json.loads(frame)),
            silence=lambda: self.acts.append("silence"),
            disconnect=lambda: self.acts.append("disconnect"),
            freeze=lambda: self.acts.append("freeze"),
        )

    def send(self, frame: bytes) -> bool:
        if len(self.sent) >= self.capacity:
            return False
        self.sent.append(json.loads(frame))
        return True
