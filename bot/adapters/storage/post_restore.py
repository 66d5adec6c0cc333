"""What must be true after any restore, whatever the backup said.

The lease in a backup may look valid, its epoch is old, and its waiting commands
may have been carried out since. So: halted, nobody leads, nothing waits, and
the next epoch is above all that were ever given (epochs are seconds).
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage.sql_terms import NOW_US

RESTORE = "restore"
"""Who set the halt that a restore leaves behind."""
_STATEMENTS = (
    (
        "UPDATE leader_lease SET holder = NULL, expires_us = 0, clean_release = FALSE,"
        " stood_down = FALSE, renew_seq = renew_seq + 1,"
        " epoch = CASE WHEN epoch >= @now / 1000000 THEN epoch + 1 ELSE @now / 1000000 END"
    ),
    (
        "UPDATE bot_instances SET is_active = FALSE, decided_by = 'restore',"
        " decided_us = decided_us + 1, stopped_us = coalesce(stopped_us, @now),"
        " stop_reason = coalesce(stop_reason, 'restored'), state = 'stopped'"
    ),
    (
        "INSERT INTO risk_state (scope, halted, reason, set_by, changed_us)"
        " SELECT scope, TRUE, CAST(:reason AS TEXT), 'restore', @now FROM leader_lease"
        " WHERE scope NOT IN (SELECT scope FROM risk_state)"
    ),
    (
        "UPDATE risk_state SET halted = TRUE, reason = CAST(:reason AS TEXT), set_by = 'restore',"
        " changed_us = @now"
    ),
    "UPDATE command_inbox SET state = 'done', done_us = @now WHERE state <> 'done'",
)


async def make_safe(connection: AsyncConnection, backup_name: str) -> None:
    """Bring restored rows into the state described above, inside the open transaction."""
    now = NOW_US[connection.dialect.name]
    given = {"reason": f"restored from {backup_name}; /unhalt after a look"}
    for statement in _STATEMENTS:
        names = given if ":reason" in statement else {}
        await connection.execute(text(statement.replace("@now", now)), names)
