"""Hooks of schemathesis: every request is signed as sent, and half of them name real markets.

Runs in the fuzzer's own environment; key and tickers are in the file that
``CONFORMANCE_FUZZ`` names.
"""

import base64
import json
import os
import time
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import requests
import schemathesis
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_STAGE = json.loads(Path(os.environ["CONFORMANCE_FUZZ"]).read_text())  # noqa: TID251 - no settings here
_KEY = load_pem_private_key(_STAGE["private_pem"].encode(), password=None)
_NUMBERS = count()


class _Signature(requests.auth.AuthBase):
    """The three headers over the path as it goes over the wire."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        stamp = str(time.time_ns() // 1_000_000)  # noqa: TID251 - no clock of ours here
        path = urlsplit(request.url).path
        signature = _KEY.sign(f"{stamp}{request.method}{path}".encode())
        request.headers["KALSHI-ACCESS-KEY"] = _STAGE["key_id"]
        request.headers["KALSHI-ACCESS-TIMESTAMP"] = stamp
        request.headers["KALSHI-ACCESS-SIGNATURE"] = base64.b64encode(signature).decode()
        return request


schemathesis.auth.set_from_requests(_Signature())


def _named(value: object) -> object:
    """The same with a real market in every other ticker, and a fresh client id in every order."""
    if isinstance(value, list):
        return [_named(one) for one in value]
    if not isinstance(value, dict):
        return value
    number = next(_NUMBERS)
    made = {key: _named(one) for key, one in value.items()}
    if isinstance(made.get("ticker"), str) and number % 2:
        made["ticker"] = _STAGE["tickers"][number % len(_STAGE["tickers"])]
    if isinstance(made.get("client_order_id"), str) and number % 5:
        made["client_order_id"] = f"fuzz-{os.getpid()}-{number}"
    return made


@schemathesis.hook
def map_body(context: object, body: object) -> object:
    """See :func:`_named`."""
    del context
    return _named(body)


@schemathesis.hook
def map_path_parameters(context: object, path_parameters: object) -> object:
    """See :func:`_named`."""
    del context
    return _named(path_parameters)
