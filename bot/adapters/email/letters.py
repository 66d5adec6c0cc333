"""From queued messages to one mail, in HTML and plain text. Reads attachments, else pure.

Every attempt at the same messages makes the same mail: its ``Message-ID`` and
its date come from the outbox, so that a server that took it twice shows it once.
"""

import mimetypes
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import blake2b
from pathlib import Path

from bot.adapters.email.settings import EmailSettings
from bot.domain.ids import InstanceId, Scope, brief
from bot.domain.operations import Banner, Severity
from bot.kit.markup import clean, escape, moment, plain
from bot.kit.secrecy import redact
from bot.kit.times import to_datetime
from bot.ports.carriers import Parcel
from bot.ports.messages import QueuedMessage

_SUBJECT_LENGTH_MAX = 120
_ORDER = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)
_COLOURS = {Severity.INFO: "#3b7dd8", Severity.WARNING: "#d98e04", Severity.CRITICAL: "#c62828"}
_BLOCK = (
    '<div style="border-left:4px solid {colour};padding:2px 0 2px 12px;margin:0 0 16px">'
    '{text}<div style="color:#777;font-size:12px">{at}</div></div>'
)
_PAGE = (
    '<!doctype html><html><body style="font:15px/1.45 sans-serif;color:#222">'
    '{blocks}<p style="color:#777;font-size:12px">{foot}</p></body></html>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Enclosure:
    """A file that goes along, or the words that say why it does not."""

    name: str
    content: bytes | None
    note: str


def letter_of(
    parcel: Parcel, settings: EmailSettings, scope: Scope, banner: Banner
) -> EmailMessage:
    """The mail for ``parcel``. Blocks while it reads what is attached."""
    worst = max(parcel.messages, key=lambda one: _ORDER.index(one.message.severity))
    enclosures = [
        _enclosure(Path(one.message.attachment), settings.attachment_bytes_max)
        for one in parcel.messages
        if one.message.attachment is not None
    ]
    notes = [one.note for one in enclosures if one.note]
    texts = [_body(one, settings) for one in parcel.messages]
    foot = f"Kalshi bot {scope}, {banner.mode.value.upper()}. Nobody reads answers to this address."

    letter = EmailMessage(policy=SMTP)
    letter["Subject"] = _subject(parcel, worst, settings, banner)
    letter["From"] = settings.sender
    letter["To"] = parcel.recipient
    letter["Date"] = format_datetime(to_datetime(parcel.messages[-1].created_us))
    letter["Message-ID"] = message_id(parcel, settings, scope)
    letter["Auto-Submitted"] = "auto-generated"
    if worst.message.severity is Severity.CRITICAL:
        letter["Importance"] = "high"
    times = [moment(one.created_us, settings.zone) for one in parcel.messages]
    dated = [f"{plain(text)}\n{at}" for text, at in zip(texts, times, strict=True)]
    letter.set_content("\n\n".join([*dated, *notes, foot]) + "\n")
    blocks = [
        _BLOCK.format(
            colour=_COLOURS[one.message.severity], text=text.replace("\n", "<br>\n"), at=at
        )
        for one, text, at in zip(parcel.messages, texts, times, strict=True)
    ]
    blocks += [f"<p>{escape(note)}</p>" for note in notes]
    letter.add_alternative(
        _PAGE.format(blocks="\n".join(blocks), foot=escape(foot)), subtype="html"
    )
    for one in enclosures:
        if one.content is not None:
            kind = mimetypes.guess_type(one.name)[0] or "application/octet-stream"
            major, _, minor = kind.partition("/")
            letter.add_attachment(one.content, maintype=major, subtype=minor, filename=one.name)
    return letter


def message_id(parcel: Parcel, settings: EmailSettings, scope: Scope) -> str:
    """The same for every attempt at these messages."""
    domain = settings.sender.rpartition("@")[2]
    return f"<{parcel.name}.{scope.replace(':', '.')}.{_digest(parcel.recipient)}@{domain}>"


def _digest(recipient: str) -> str:
    # Not the address itself: a Message-ID ends up in everybody's answers.
    return blake2b(recipient.encode(), digest_size=6).hexdigest()


def _subject(parcel: Parcel, worst: QueuedMessage, settings: EmailSettings, banner: Banner) -> str:
    """``CRITICAL PAPER bot-1: Breaker tripped: daily_loss``."""
    message = worst.message
    told_by = brief(InstanceId(message.instance)) if message.instance else brief(banner.instance)
    head = f"{message.severity.value.upper()} {banner.mode.value.upper()} {told_by}: "
    count = len(parcel.messages)
    if count > 1:
        head += f"{count} messages, "
    first_line = plain(_body(worst, settings)).partition("\n")[0]
    subject = "".join(c for c in head + first_line if c.isprintable())
    whole = len(subject) <= _SUBJECT_LENGTH_MAX
    return subject if whole else f"{subject[: _SUBJECT_LENGTH_MAX - 1]}\N{HORIZONTAL ELLIPSIS}"


def _body(one: QueuedMessage, settings: EmailSettings) -> str:
    return clean(redact(one.message.text, settings.secrets))


def _enclosure(path: Path, bytes_max: int) -> _Enclosure:
    try:
        size = path.stat().st_size
        if size > bytes_max:
            return _Enclosure(
                name=path.name,
                content=None,
                note=f"Too large for a mail ({size:,} bytes): {path}",
            )
        return _Enclosure(name=path.name, content=path.read_bytes(), note="")
    except OSError:
        note = f"The file is not on this machine any more: {path}"
        return _Enclosure(name=path.name, content=None, note=note)
