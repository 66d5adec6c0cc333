"""Market payloads as they are kept: what every hour changes, apart from what does not.

Of the two kilobytes that the venue sends of a market, rules, titles and times
stay for days, and some hundred bytes of quotes and volumes change. The template
is the text with a mark in the place of each such value; template and values are
stored once each, found by their digest. Together they give the text as received,
byte for byte, and plain SQL puts it together (the view ``snapshots``): that is why
nothing is compressed in a way that a database could not read by itself.
"""

from dataclasses import dataclass
from hashlib import blake2b

MARK = "\x7f"
"""Stands for a held value in a template, and between the held values."""
POINTER = '{"in":"snapshots"}'
"""What ``market_snapshots.payload_json`` says where the payload is kept apart."""

# What ends the names of all prices, sizes and volumes.
_DOLLARS, _COUNT = '_dollars":"', '_fp":"'
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class SplitPayload:
    """One payload in its two parts. The digests are of 16 bytes."""

    template: str
    held: str
    template_digest: bytes
    digest: bytes


def split_payload(text: str) -> SplitPayload | None:
    """Both parts of a JSON text; ``None`` where it holds the mark, or nothing, and stays whole."""
    if not text or MARK in text:
        return None
    template, held = _divided(text)
    template_digest = _digest(template.encode("utf-8"))
    return SplitPayload(
        template=template,
        held=held,
        template_digest=template_digest,
        digest=_digest(template_digest + held.encode("utf-8")),
    )


def joined_payload(template: str, held: str) -> str:
    """The text again."""
    parts, values = template.split(MARK), held.split(MARK)
    return parts[0] + "".join(
        [value + part for value, part in zip(values, parts[1:], strict=False)]
    )


def _divided(text: str) -> tuple[str, str]:
    body: list[str] = []
    values: list[str] = []
    for number, chunk in enumerate(text.split(_DOLLARS)):
        for place, piece in enumerate(chunk.split(_COUNT)):
            if not (number or place):
                body.append(piece)
                continue
            # Whatever the value holds, cutting at the first quote loses nothing.
            value, quote, rest = piece.partition('"')
            values.append(value)
            body += (_COUNT if place else _DOLLARS, MARK, quote, rest)
    return "".join(body), MARK.join(values)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST_BYTES).digest()
