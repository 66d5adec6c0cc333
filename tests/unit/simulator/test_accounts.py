"""Users, subaccounts and the house."""

import pytest

from bot.simulator.accounts import Accounts, Owner
from bot.venue.accounts import AccountId


def test_an_account_leads_back_to_its_owner() -> None:
    accounts = Accounts()
    main, second = accounts.add("u", 0), accounts.add("u", 2)
    accounts.add("v", 0)
    assert accounts.owner(second) == Owner("u", 2)
    assert accounts.find("u", 0) == main
    assert accounts.find("u", 1) is None
    assert accounts.of_user("u") == [(0, main), (2, second)]
    assert len(accounts.every()) == 3


def test_the_house_belongs_to_nobody() -> None:
    assert Accounts().owner(AccountId("house")) is None


def test_there_are_64_subaccounts() -> None:
    with pytest.raises(ValueError, match="63"):
        Accounts().add("u", 64)
