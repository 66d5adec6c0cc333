"""What must not be read by others, taken out of texts. Pure."""

import re

_SECRET_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        "[private key]",
    ),
    (re.compile(r"(?<!\d)\d{6,}:[A-Za-z0-9_-]{30,}"), "[bot token]"),
    (
        re.compile(
            r"(KALSHI-ACCESS-(?:KEY|SIGNATURE)[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]+", re.IGNORECASE
        ),
        r"\1[redacted]",
    ),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@"), r"\1:[password]@"),
    (re.compile(r"\b(sk-[A-Za-z0-9_-]{16,})"), "[api key]"),
)

# Shorter ones would blank ordinary words.
_SECRET_LENGTH_MIN = 6


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Take key material, bot tokens and passwords out of a text."""
    for secret in secrets:
        if len(secret) >= _SECRET_LENGTH_MIN:
            text = text.replace(secret, "[redacted]")
    for pattern, replacement in _SECRET_PATTERNS:
        text = pattern.sub(replacement, text)
    return text
