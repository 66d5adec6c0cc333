"""Old spellings of the operations documents, turned into today's subcommands.

``python -m app --backup``, ``--mode collect --once`` and ``run-once`` are what
cron tables and runbooks hold; they keep working.
"""

_GLOBAL_WITH_VALUE = frozenset({"--config", "--lock-file", "--lock-wait", "--log-level"})
_RUN_FLAGS = frozenset(
    {
        *("--mode", "--once", "--dry-run", "--enable-live-trading"),
        *("--unsupervised", "--lead-anyway"),
    }
)
_HELP = frozenset({"--help", "-h", "--version"})


def modernise(arguments: list[str]) -> list[str]:
    """Return the arguments with a subcommand first."""
    if "--backup" in arguments and not _subcommand(arguments):
        return ["backup", *(one for one in arguments if one != "--backup")]
    subcommand = _subcommand(arguments)
    if subcommand == "run-once":
        at = arguments.index("run-once")
        return ["run", "--once", *arguments[:at], *arguments[at + 1 :]]
    if subcommand:
        at = arguments.index(subcommand)
        return [subcommand, *arguments[:at], *arguments[at + 1 :]]
    given = {one.partition("=")[0] for one in arguments}
    # Options without a word are the documents' way of starting the bot.
    if given & (_RUN_FLAGS | _GLOBAL_WITH_VALUE) and not given & _HELP:
        return ["run", *arguments]
    return arguments


def _subcommand(arguments: list[str]) -> str | None:
    """The first word that is neither an option nor an option's value."""
    skip = False
    for one in arguments:
        if skip:
            skip = False
        elif one in _GLOBAL_WITH_VALUE or one == "--mode":
            skip = True
        elif one in _HELP:
            return None
        elif not one.startswith("-"):
            return one
    return None
