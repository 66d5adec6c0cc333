"""A recipient at Telegram as one text: a chat, or a topic of a forum's chat. Pure."""

from dataclasses import dataclass

_TOPIC = "/"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message goes."""

    chat: str
    topic: int | None


def place_of(recipient: str) -> Place:
    """``-100123`` or ``-100123/45``."""
    chat, _, topic = recipient.partition(_TOPIC)
    return Place(chat, int(topic) if topic.isdigit() else None)
