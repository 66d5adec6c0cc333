"""How long somebody else has been polling with our token. Pure.

Telegram lets the newest poll win, so two stubborn pollers evict each other in
turn and both succeed now and then: one good poll does not end a conflict, only
quiet does.
"""


class ConflictWatch:
    """Counts from the first conflict; forgets after a quiet as long as the alert's limit."""

    def __init__(self, alert_after_us: int) -> None:
        self._alert_after_us = alert_after_us
        self._first_us: int | None = None
        self._last_us = 0

    def met(self, now_us: int) -> int | None:
        """Note a conflict; its duration once that is worth an alert."""
        if self._first_us is None or now_us - self._last_us > self._alert_after_us:
            self._first_us = now_us
        self._last_us = now_us
        lasted_us = now_us - self._first_us
        return lasted_us if lasted_us >= self._alert_after_us else None
