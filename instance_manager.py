"""Runs this process as a managed instance, or shows and changes which instance leads.

python instance_manager.py                    run as a managed instance
python instance_manager.py --list             every instance and what it is doing
python instance_manager.py --activate ID      make a living instance the leader
python instance_manager.py --deactivate-all   nobody leads until the next start or activation
"""

import sys

from bot.cli import main

_DESK = ("--list", "--activate", "--deactivate-all")


def start(arguments: list[str]) -> None:
    """Hand over to the command that was meant; exits with its code."""
    if any(one.partition("=")[0] in _DESK for one in arguments):
        main(["instances", *(one for one in arguments if one != "--list")])
    main(["run", *arguments])


if __name__ == "__main__":
    start(sys.argv[1:])
