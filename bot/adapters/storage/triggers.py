"""The fence: who may write under which epoch, and no entry while halted.

A row of ``FENCED`` is refused unless its scope's lease has that epoch and has
not ended. On PostgreSQL the check also holds the lease's key, so a take-over
waits for the writes it overtakes; a renewal, which leaves the key alone, does
not. An entry is refused unless its scope is known and not halted: a fresh
install is halted. Deleting is not fenced.
"""

# ruff: noqa: S608 - every part of a statement is a constant or comes from the catalogue

from bot.adapters.storage.faults import HALTED, NOT_LEADER
from bot.adapters.storage.sql_terms import NOW_US

FENCED = (
    "account_snapshots",
    "approval_steps",
    "brackets",
    "breaker_state",
    "equity_baselines",
    "fills",
    "job_runs",
    "order_groups",
    "order_intents",
    "positions",
    "signals",
)


def create_triggers(dialect: str) -> list[str]:
    """Statements that make them, in order."""
    return _sqlite() if dialect == "sqlite" else _postgresql()


def drop_triggers(dialect: str) -> list[str]:
    """Statements that remove them, in order."""
    if dialect == "sqlite":
        names = [f"fence_{act}_{table}" for table in FENCED for act in ("insert", "update")]
        return [f"DROP TRIGGER {name}" for name in [*names, "halt_order_intents"]]
    return [
        *(f"DROP TRIGGER fence ON {table}" for table in FENCED),
        "DROP TRIGGER halt ON order_intents",
        "DROP FUNCTION assert_leader()",
        "DROP FUNCTION assert_not_halted()",
    ]


def _sqlite() -> list[str]:
    fences = [_sqlite_fence(table, act) for table in FENCED for act in ("insert", "update")]
    halt = f"""
CREATE TRIGGER halt_order_intents BEFORE INSERT ON order_intents WHEN NEW.purpose = 'entry' BEGIN
  SELECT RAISE(ABORT, '{HALTED[1]}')
  WHERE NOT EXISTS (SELECT 1 FROM risk_state WHERE scope = NEW.scope AND NOT halted);
END"""
    return [*fences, halt]


def _sqlite_fence(table: str, act: str) -> str:
    return f"""
CREATE TRIGGER fence_{act}_{table} BEFORE {act.upper()} ON {table} BEGIN
  SELECT RAISE(ABORT, '{NOT_LEADER[1]}')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > {NOW_US["sqlite"]});
END"""


def _postgresql() -> list[str]:
    fences = [
        f"CREATE TRIGGER fence BEFORE INSERT OR UPDATE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION assert_leader()"
        for table in FENCED
    ]
    halt = (
        "CREATE TRIGGER halt BEFORE INSERT ON order_intents FOR EACH ROW"
        " WHEN (NEW.purpose = 'entry') EXECUTE FUNCTION assert_not_halted()"
    )
    return [
        _function("assert_leader", _ASSERT_LEADER),
        _function("assert_not_halted", _ASSERT_NOT_HALTED),
        *fences,
        halt,
    ]


def _function(name: str, body: str) -> str:
    # The schema of the moment it is made: a caller's search_path must not lead it astray.
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
        f" SET search_path FROM CURRENT AS $body${body}\n$body$"
    )


_ASSERT_LEADER = f"""
BEGIN
  PERFORM 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > {NOW_US["postgresql"]} FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION '{NOT_LEADER[1]} % of %', NEW.epoch, NEW.scope
      USING ERRCODE = '{NOT_LEADER[0]}';
  END IF;
  RETURN NEW;
END"""
# The shared lock makes a halt wait for entries already under way; later ones see it.
_ASSERT_NOT_HALTED = f"""
BEGIN
  PERFORM 1 FROM risk_state WHERE scope = NEW.scope AND NOT halted FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION '{HALTED[1]} in %', NEW.scope USING ERRCODE = '{HALTED[0]}';
  END IF;
  RETURN NEW;
END"""
