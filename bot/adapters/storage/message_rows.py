"""Rows of the inbox, the outbox and the audit as the values of their ports, and back. Pure."""

import json
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import RowMapping

from bot.domain.ids import Scope
from bot.domain.operations import AccessLevel, Severity
from bot.ports.messages import (
    AuditEntry,
    Channel,
    IncomingCommand,
    MessageButton,
    OutgoingMessage,
    QueuedMessage,
    without_secrets,
)

WAITING = "waiting"
HELD = "held"
_FIRST, _USUAL = 0, 1
_REPLY = "reply"
_COMMAND_FIELDS = frozenset(one.name for one in fields(IncomingCommand))


def payload_of(command: IncomingCommand) -> str:
    """A command as it is stored."""
    kept = asdict(without_secrets(command))
    if command.message_id is None:
        # Earlier code knows no such field, and may come back.
        del kept["message_id"]
    return json.dumps(kept)


def command_of_payload(payload: str) -> IncomingCommand:
    """What was put, exactly; what later code has added to it is left out."""
    found = {key: one for key, one in json.loads(payload).items() if key in _COMMAND_FIELDS}
    granted = found.pop("granted")
    return IncomingCommand(
        **{**found, "channel": Channel(found["channel"])},
        granted=None if granted is None else AccessLevel(granted),
    )


def outbox_row(scope: Scope, message: OutgoingMessage, now_us: int) -> dict[str, Any]:
    """A message that was just queued."""
    held_until_us = message.held_until_us
    return {
        "scope": scope,
        "channel": message.channel.value,
        "recipient": message.recipient,
        "kind": message.kind,
        "severity": message.severity.value,
        "text": message.text,
        "attachment": message.attachment,
        "extra_json": json.dumps(_extra(message), ensure_ascii=False),
        "state": WAITING if held_until_us is None else HELD,
        "attempts": 0,
        "created_us": now_us,
        "due_us": now_us if held_until_us is None else held_until_us,
        # A person waits for a reply.
        "rank": _FIRST if message.is_urgent or message.kind == _REPLY else _USUAL,
        "alert": message.alert or None,
        "once_key": message.once or None,
    }


def _extra(message: OutgoingMessage) -> dict[str, Any]:
    """What only some messages have."""
    buttons = [
        [{"label": button.label, "data": button.data} for button in row] for row in message.buttons
    ]
    extra: dict[str, Any] = {"buttons": buttons}
    if message.edits is not None:
        extra["edits"] = message.edits
    if message.footer:
        extra["footer"] = message.footer
    if message.is_silent:
        extra["silent"] = True
    if message.instance:
        extra["instance"] = message.instance
    if message.facts:
        extra["facts"] = dict(message.facts)
    return extra


def queued_of(row: RowMapping) -> QueuedMessage:
    """A message that waits."""
    extra = json.loads(row["extra_json"])
    return QueuedMessage(
        id=row["id"],
        attempts=row["attempts"],
        created_us=row["created_us"],
        due_us=row["due_us"],
        message=OutgoingMessage(
            channel=Channel(row["channel"]),
            recipient=row["recipient"],
            kind=row["kind"],
            severity=Severity(row["severity"]),
            text=row["text"],
            attachment=row["attachment"],
            buttons=tuple(
                tuple(MessageButton(**button) for button in line)
                for line in extra.get("buttons", ())
            ),
            edits=extra.get("edits"),
            alert=row["alert"] or "",
            footer=extra.get("footer", ""),
            is_urgent=row["rank"] == _FIRST and row["kind"] != _REPLY,
            is_silent=extra.get("silent", False),
            held_until_us=row["due_us"] if row["state"] == HELD else None,
            once=row["once_key"] or "",
            instance=extra.get("instance", ""),
            facts=extra.get("facts", {}),
        ),
    )


def entry_of(row: RowMapping) -> AuditEntry:
    """An entry of the audit."""
    return AuditEntry(
        number=row["command_id"],
        at_us=row["at_us"],
        channel=Channel(row["channel"]),
        actor=row["actor"],
        command=row["command"],
        outcome=row["outcome"],
        epoch=row["epoch"],
    )
