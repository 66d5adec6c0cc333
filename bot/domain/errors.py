"""The exception tree.

Callers act on the *class*, never on the text::

    BotError
      ExchangeUnavailable    wait and try again; nothing is known to be wrong
        RateLimited          the same, and we were asking too often
      OrderRejected          the venue said no; the order is dead, the bot is fine
      OutcomeUnknown         a write may or may not have happened; look it up before acting
      CredentialsRefused     the venue does not accept our key; waiting will not help
      RequestRefused         the venue refused a read as malformed or missing; a bug or a bad name
      NotLeader              a write under an epoch that is no longer ours; stop writing
      TradingHalted          an opening write while trading is halted
      InvariantBroken        two facts we hold contradict each other; stop trading
      StorageUnavailable     the database cannot be reached or refuses to work just now
      ConfigurationFault     a setting, file or key is wrong; exit 2 with the list
      LockHeld               another process of this host holds the lock; exit 1
      ActivationRefused      that instance cannot be made the leader; tell the operator
      CycleTakenOver         another run continues this collect cycle; stop, nothing is wrong
      MarkMoved              another reader moved this cursor meanwhile; read it again and go on
      BackupInvalid          the file is damaged or no backup; choose another, nothing was changed
      RestoreRefused         a bot may be using the database; stop it first, or force
      InvalidAmount          text does not fit a price, quantity or money unit
      InvalidMessage         a message of the venue does not have the documented shape
"""


class BotError(Exception):
    """Base of everything this bot raises on purpose."""


class ExchangeUnavailable(BotError):
    """The exchange could not be reached or could not answer."""


class RateLimited(ExchangeUnavailable):
    """The exchange asked us to slow down."""


class OrderRejected(BotError):
    """The exchange refused an order for a stated reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class OutcomeUnknown(BotError):
    """A write was sent and its answer was lost."""


class CredentialsRefused(BotError):
    """The exchange does not accept the API key or its signature."""


class RequestRefused(BotError):
    """The exchange refused a request that is not an order."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(f"HTTP {status} {code}: {reason}")
        self.status = status
        self.code = code
        self.reason = reason


class NotLeader(BotError):
    """A write was attempted under an epoch that is no longer ours."""


class TradingHalted(BotError):
    """An opening order was attempted while trading is halted."""


class InvariantBroken(BotError):
    """Two facts we hold contradict each other."""


class StorageUnavailable(BotError):
    """The database cannot be reached or refuses to work just now."""


class ConfigurationFault(BotError):
    """One or more settings are wrong. ``faults`` holds one line each, naming the fix."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class LockHeld(BotError):
    """Another process of this host holds the lock."""


class CycleTakenOver(BotError):
    """Another run has taken over this collect cycle."""


class MarkMoved(BotError):
    """Another reader of the same market has moved its cursor; nothing was stored."""


class ActivationRefused(BotError):
    """An operator named an instance that does not exist or is not alive."""


class BackupInvalid(BotError):
    """A file is not a whole backup, or a backup just made does not match its source."""


class RestoreRefused(BotError):
    """The database to be replaced may be in use."""


class InvalidAmount(BotError, ValueError):
    """Text or arithmetic does not fit a price, quantity or money unit."""


class InvalidMessage(BotError, ValueError):
    """A message of the exchange does not have the documented shape."""
