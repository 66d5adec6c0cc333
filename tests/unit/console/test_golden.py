"""Every command of the table, word for word and act for act, in ``tests/golden/chat``.

A command without a file fails: run this with ``--renew-golden``, read the file, commit it.
"""

import pytest

from bot.console.commands import CommandSpec
from bot.console.handlers import command_table
from tests.support.chat_script import MORE_LINES, played
from tests.support.golden import Golden

SPECS = command_table().specs


@pytest.mark.parametrize("spec", SPECS, ids=[spec.name for spec in SPECS])
async def test_a_command_says_and_does_what_is_kept(spec: CommandSpec, golden: Golden):
    golden.check(f"chat/{spec.name}", await played(spec))


def test_nothing_is_kept_of_commands_that_are_gone(golden: Golden):
    names = {spec.name for spec in SPECS}
    assert golden.names("chat") - names == set()
    assert set(MORE_LINES) - names == set()


def test_a_missing_and_a_changed_text_fail_with_what_to_do(tmp_path):
    kept = Golden(is_renewing=False, folder=tmp_path / "golden")
    with pytest.raises(pytest.fail.Exception, match=r"is not kept yet.*--renew-golden"):
        kept.check("chat/status", "up")
    Golden(is_renewing=True, folder=tmp_path / "golden").check("chat/status", "up")
    kept.check("chat/status", "up")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)has changed.*-up\n\+down"):
        kept.check("chat/status", "down")
