"""The platform's front door: check everything, register this start, lead or exit 0.

A faulty build must not depose a working one, so nothing is registered before
the preflight has passed. Who leads is decided in the database, never here.
"""

import sys

try:
    from bot import cli
except ModuleNotFoundError as fault:
    if __name__ != "__main__":
        raise
    sys.stderr.write(
        f"{sys.executable} lacks {fault.name}: use .venv/bin/python railway_startup.py\n"
    )
    sys.exit(2)


def start() -> None:
    """Preflight, register, lead; exits with the documented code."""
    # `run` does the three steps in this order and ends with 0 when another instance leads.
    cli.start(["run", *sys.argv[1:]])


if __name__ == "__main__":
    start()
