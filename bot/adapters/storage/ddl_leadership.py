"""The rules of ``is_active`` as triggers, so that a statement typed by hand acts like a command.

The bot's own statements move ``decided_us`` together with ``is_active``; where
it stands still a person typed the statement, and the triggers do the rest:

* FALSE on the wanted instance ends the lease at once (fenced writes are refused
  from that commit on) but leaves the holder's name in it, so that the holder can
  release it cleanly after draining; waiting instances stand down.
* TRUE on a living instance makes it the only wanted one of its scope and ranks
  it with the newest deployment, until the next one; a dead one is refused.

The documented pair of statements works in either order and as one statement.
"""

from bot.adapters.storage.sql_terms import NOW_US
from bot.domain.leadership import ALIVE_US

CHANNEL = "bot_leadership"
"""PostgreSQL notifies the scope here whenever who leads may have changed."""

_POSTGRES_CREATE = (
    """
ALTER TABLE bot_instances ADD CONSTRAINT one_active_per_scope
    EXCLUDE USING btree (scope WITH =) WHERE (is_active) DEFERRABLE INITIALLY DEFERRED
""",
    """
CREATE FUNCTION bot_is_active_typed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE now_us bigint := @NOW;
BEGIN
    IF NEW.is_active THEN
        IF NEW.stopped_us IS NOT NULL OR NEW.heartbeat_us < now_us - @ALIVE THEN
            RAISE EXCEPTION 'activation refused: instance % is not alive (last heartbeat % s ago)',
                NEW.instance_id, (now_us - NEW.heartbeat_us) / 1000000
                USING ERRCODE = 'PF003', HINT = 'python instance_manager.py --list';
        END IF;
        NEW.generation := COALESCE(
            (SELECT max(generation) FROM bot_deployments WHERE scope = NEW.scope),
            NEW.generation);
    END IF;
    NEW.decided_by := 'operator';
    NEW.decided_us := GREATEST(OLD.decided_us + 1, now_us);
    RETURN NEW;
END $$
""",
    """
CREATE TRIGGER is_active_typed BEFORE UPDATE OF is_active ON bot_instances FOR EACH ROW
    WHEN (OLD.is_active IS DISTINCT FROM NEW.is_active AND OLD.decided_us = NEW.decided_us)
    EXECUTE FUNCTION bot_is_active_typed()
""",
    # After the whole statement: a row trigger may not change a row the statement still will.
    """
CREATE FUNCTION bot_is_active_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE now_us bigint := @NOW;
BEGIN
    IF NEW.is_active THEN
        UPDATE bot_instances SET is_active = FALSE, decided_by = NEW.instance_id,
            decided_us = GREATEST(decided_us + 1, now_us)
            WHERE scope = NEW.scope AND is_active AND instance_id <> NEW.instance_id;
        UPDATE leader_lease SET stood_down = FALSE WHERE scope = NEW.scope AND stood_down;
    ELSIF NEW.decided_by = 'operator' THEN
        UPDATE leader_lease SET expires_us = LEAST(expires_us, now_us)
            WHERE scope = NEW.scope AND holder = NEW.instance_id;
        UPDATE leader_lease SET stood_down = TRUE WHERE scope = NEW.scope AND NOT EXISTS
            (SELECT 1 FROM bot_instances WHERE scope = NEW.scope AND is_active);
    END IF;
    PERFORM pg_notify('bot_leadership', NEW.scope);
    RETURN NULL;
END $$
""",
    """
CREATE TRIGGER is_active_changed AFTER UPDATE OF is_active ON bot_instances FOR EACH ROW
    WHEN (OLD.is_active IS DISTINCT FROM NEW.is_active)
    EXECUTE FUNCTION bot_is_active_changed()
""",
)

_POSTGRES_DROP = (
    "DROP TRIGGER is_active_changed ON bot_instances",
    "DROP TRIGGER is_active_typed ON bot_instances",
    "DROP FUNCTION bot_is_active_changed()",
    "DROP FUNCTION bot_is_active_typed()",
    "ALTER TABLE bot_instances DROP CONSTRAINT one_active_per_scope",
)

_SQLITE_CREATE = (
    """
CREATE TRIGGER is_active_refused BEFORE UPDATE OF is_active ON bot_instances
WHEN NEW.is_active AND NOT OLD.is_active AND NEW.decided_us = OLD.decided_us
    AND (NEW.stopped_us IS NOT NULL OR NEW.heartbeat_us < @NOW - @ALIVE)
BEGIN
    SELECT RAISE(ABORT,
        'activation refused: that instance is not alive; python instance_manager.py --list');
END
""",
    """
CREATE TRIGGER is_active_set AFTER UPDATE OF is_active ON bot_instances
WHEN NEW.is_active AND NOT OLD.is_active
BEGIN
    UPDATE bot_instances SET decided_by = 'operator',
        decided_us = MAX(decided_us + 1, @NOW),
        generation = COALESCE(
            (SELECT MAX(generation) FROM bot_deployments WHERE scope = NEW.scope), generation)
        WHERE instance_id = NEW.instance_id AND NEW.decided_us = OLD.decided_us;
    UPDATE bot_instances SET is_active = 0, decided_by = NEW.instance_id,
        decided_us = MAX(decided_us + 1, @NOW)
        WHERE scope = NEW.scope AND is_active AND instance_id <> NEW.instance_id;
    UPDATE leader_lease SET stood_down = 0 WHERE scope = NEW.scope AND stood_down;
END
""",
    """
CREATE TRIGGER is_active_unset AFTER UPDATE OF is_active ON bot_instances
WHEN OLD.is_active AND NOT NEW.is_active AND NEW.decided_us = OLD.decided_us
BEGIN
    UPDATE bot_instances SET decided_by = 'operator',
        decided_us = MAX(decided_us + 1, @NOW) WHERE instance_id = NEW.instance_id;
    UPDATE leader_lease SET expires_us = MIN(expires_us, @NOW)
        WHERE scope = NEW.scope AND holder = NEW.instance_id;
    UPDATE leader_lease SET stood_down = 1 WHERE scope = NEW.scope AND NOT EXISTS
        (SELECT 1 FROM bot_instances WHERE scope = NEW.scope AND is_active);
END
""",
)

_SQLITE_DROP = (
    "DROP TRIGGER is_active_refused",
    "DROP TRIGGER is_active_set",
    "DROP TRIGGER is_active_unset",
)


def create_statements(dialect: str) -> tuple[str, ...]:
    """In the order they must run, after the tables exist."""
    statements = _SQLITE_CREATE if dialect == "sqlite" else _POSTGRES_CREATE
    return tuple(
        statement.replace("@NOW", NOW_US[dialect]).replace("@ALIVE", str(ALIVE_US))
        for statement in statements
    )


def drop_statements(dialect: str) -> tuple[str, ...]:
    """Undo :func:`create_statements`."""
    return _SQLITE_DROP if dialect == "sqlite" else _POSTGRES_DROP
