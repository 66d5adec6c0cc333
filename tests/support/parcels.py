"""Messages that wait, for carriers to try."""

from pathlib import Path

from bot.domain.events import Role
from bot.domain.ids import InstanceId, Scope
from bot.domain.operations import Banner, Severity, TradeMode
from bot.ports.carriers import Parcel
from bot.ports.messages import Channel, OutgoingMessage, QueuedMessage

SCOPE = Scope("paper:main:0")
AT_US = 1_795_245_300_000_000


def banner() -> Banner:
    return Banner(
        instance=InstanceId("bot-2"),
        mode=TradeMode.PAPER,
        role=Role.LEADING,
        epoch=None,
        leading_since_us=None,
        version="1",
    )


def waiting(
    number: int = 7,
    text: str = "<b>Breaker tripped</b>: daily_loss &lt; -5 %",
    *,
    channel: Channel = Channel.EMAIL,
    recipient: str = "ada@example.com",
    severity: Severity = Severity.CRITICAL,
    attachment: Path | None = None,
    attempts: int = 0,
) -> QueuedMessage:
    return QueuedMessage(
        id=number,
        attempts=attempts,
        created_us=AT_US + number,
        due_us=AT_US,
        message=OutgoingMessage(
            channel=channel,
            recipient=recipient,
            kind="breaker_tripped",
            severity=severity,
            text=text,
            attachment=None if attachment is None else str(attachment),
            alert="a1b2c3",
            instance="bot-1",
            facts={"name": "daily_loss", "loss_e6": -5_000_000},
        ),
    )


def parcel(*messages: QueuedMessage) -> Parcel:
    return Parcel(messages=messages or (waiting(),))
