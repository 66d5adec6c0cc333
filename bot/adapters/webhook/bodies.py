"""What is posted, and the signature over it. Pure.

The signature is that of the Standard Webhooks specification, for which most
languages have a library: HMAC-SHA256 over ``id.timestamp.body``.
"""

import base64
import hashlib
import hmac
import json

from bot.adapters.webhook.settings import BodyFormat, WebhookSettings
from bot.domain.ids import InstanceId, Scope, brief
from bot.domain.operations import Banner, Severity
from bot.kit.markup import plain
from bot.kit.secrecy import redact
from bot.kit.times import to_datetime
from bot.ports.carriers import Parcel

SCHEMA = 1
"""Rises when a field changes its meaning or goes; new fields may come at any time."""

_DISCORD_LENGTH_MAX = 4_096
_COLOURS = {Severity.INFO: 0x3B7DD8, Severity.WARNING: 0xD98E04, Severity.CRITICAL: 0xC62828}


def message_id(parcel: Parcel, scope: Scope) -> str:
    """The same for every attempt at this message."""
    return f"{scope}:{parcel.name}"


def body_of(parcel: Parcel, settings: WebhookSettings, scope: Scope, banner: Banner) -> bytes:
    """The body for a parcel of one message."""
    (queued,) = parcel.messages
    message = queued.message
    text = redact(plain(message.text), settings.secrets)
    body: dict[str, object]
    match settings.format:
        case BodyFormat.SLACK:
            body = {"text": _for_slack(text)}
        case BodyFormat.DISCORD:
            shown = text
            if len(shown) > _DISCORD_LENGTH_MAX:
                shown = f"{shown[: _DISCORD_LENGTH_MAX - 1]}\N{HORIZONTAL ELLIPSIS}"
            embed = {"description": shown, "color": _COLOURS[message.severity]}
            # Nothing in an alert may call everybody.
            body = {"embeds": [embed], "allowed_mentions": {"parse": []}}
        case BodyFormat.JSON:
            facts = json.loads(redact(json.dumps(dict(message.facts)), settings.secrets))
            told_by = InstanceId(message.instance) if message.instance else banner.instance
            body = {
                "schema": SCHEMA,
                "id": message_id(parcel, scope),
                "alert": message.alert,
                "kind": message.kind,
                "severity": message.severity.value,
                "text": text,
                "facts": facts,
                "mode": banner.mode.value,
                "scope": scope,
                "instance": told_by,
                "instance_name": brief(told_by),
                "at": to_datetime(queued.created_us).isoformat(),
                "at_us": queued.created_us,
            }
    return json.dumps(body, ensure_ascii=False).encode()


def signed_headers(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that identify, date and sign ``body``. ``timestamp`` is in Unix seconds."""
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def _for_slack(text: str) -> str:
    for character, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, name)
    return text
