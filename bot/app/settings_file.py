"""The configuration file: YAML or JSON, and never a secret in it."""

from collections.abc import Mapping
from pathlib import Path

import yaml

DEFAULT_CONFIG_FILES = ("config/config.yaml", "config/config.json")
DEFAULT_SECRETS_FILE = "config/secrets.env"

_SECRET_WORDS = ("api_key", "apikey", "private_key", "token", "password", "secret", "key_id")

_NO_SECRETS = ("api_key_expires",)


def read_file(path: Path | None, faults: list[str]) -> dict[str, object]:
    """What stands in ``path``, or in the first default file that is there.

    What is wrong is added to ``faults``; a value that belongs among the secrets is left out.
    """
    found = path or next((Path(one) for one in DEFAULT_CONFIG_FILES if Path(one).is_file()), None)
    if found is None:
        return {}
    try:
        content = yaml.safe_load(found.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        faults.append(f"{found}: {_unreadable(error)}")
        return {}
    if not isinstance(content, dict | None):
        faults.append(f"{found}: must hold sections of settings, not a {type(content).__name__}")
        return {}
    return _without_secrets(content or {}, "", faults)


def _unreadable(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "no such file; copy config/config.example.yaml there"
        case yaml.MarkedYAMLError() if (mark := error.problem_mark) is not None:
            # The error's own text repeats the line, and a secret may stand in it.
            place = f"line {mark.line + 1}, column {mark.column + 1}"
            return f"not valid YAML or JSON at {place}: {error.problem}; correct it there"
        case yaml.YAMLError():
            return "not valid YAML or JSON: it holds characters that are no text; write it anew"
        case _:
            return f"cannot be read ({error}); fix its permissions or encoding"


def _without_secrets(
    values: Mapping[str, object], prefix: str, faults: list[str]
) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if _is_secret(str(key)):
            faults.append(
                f"{name}: secrets do not belong in the configuration file; "
                f"move it to {DEFAULT_SECRETS_FILE} or the environment, and renew it"
            )
        elif isinstance(value, dict):
            kept[key] = _without_secrets(value, f"{name}.", faults)
        else:
            kept[key] = value
    return kept


def _is_secret(key: str) -> bool:
    if key in _NO_SECRETS:
        return False
    return key == "secrets" or any(word in key.lower() for word in _SECRET_WORDS)
