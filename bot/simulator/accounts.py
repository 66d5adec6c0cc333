"""Users and their subaccounts as accounts of the venue."""

from dataclasses import dataclass

from bot.venue.accounts import AccountId

SUBACCOUNT_MAX = 63


@dataclass(frozen=True, slots=True)
class Owner:
    """The person behind an account of the venue."""

    user_id: str
    subaccount: int


class Accounts:
    """Which venue account belongs to whom; house accounts belong to nobody."""

    def __init__(self) -> None:
        self._owners: dict[AccountId, Owner] = {}
        self._accounts: dict[Owner, AccountId] = {}

    def add(self, user_id: str, subaccount: int) -> AccountId:
        """Name the account of a user's subaccount; the same pair gives the same name."""
        if not 0 <= subaccount <= SUBACCOUNT_MAX:
            raise ValueError(f"subaccount must be between 0 and {SUBACCOUNT_MAX}")
        owner = Owner(user_id, subaccount)
        account = AccountId(f"{user_id}/{subaccount}")
        self._owners[account] = owner
        self._accounts[owner] = account
        return account

    def find(self, user_id: str, subaccount: int) -> AccountId | None:
        """The account of a user's subaccount, if it was opened."""
        return self._accounts.get(Owner(user_id, subaccount))

    def owner(self, account: AccountId) -> Owner | None:
        """Whose account it is; ``None`` for the house."""
        return self._owners.get(account)

    def every(self) -> list[AccountId]:
        """Every account that belongs to somebody."""
        return list(self._owners)

    def of_user(self, user_id: str) -> list[tuple[int, AccountId]]:
        """A user's subaccounts and their accounts, in order."""
        return sorted(
            (owner.subaccount, account)
            for account, owner in self._owners.items()
            if owner.user_id == user_id
        )
