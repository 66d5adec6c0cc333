"""Runs this process as a managed instance, or shows and changes which instance leads.

python instance_manager.py                    start the bot as a managed instance
python instance_manager.py --list             every instance and what it is doing
python instance_manager.py --activate ID      make a living instance the leader
python instance_manager.py --deactivate-all   nobody leads until the next start or activation

Further options of the first are those of: python -m bot run --help
Further options of the others are those of: python -m bot instances --help
"""

import sys

try:
    from bot import cli
except ModuleNotFoundError as fault:
    if __name__ != "__main__":
        raise
    sys.stderr.write(
        f"{sys.executable} lacks {fault.name}: use .venv/bin/python instance_manager.py\n"
    )
    sys.exit(2)

_DESK = ("--list", "--activate", "--deactivate-all")


def start(arguments: list[str]) -> None:
    """Hand over to the command that was meant; exits with its code."""
    if {"--help", "-h"} & set(arguments):
        sys.stdout.write(__doc__ or "")
        return
    if any(one.partition("=")[0] in _DESK for one in arguments):
        cli.start(["instances", *(one for one in arguments if one != "--list")])
    cli.start(["run", *arguments])


if __name__ == "__main__":
    start(sys.argv[1:])
