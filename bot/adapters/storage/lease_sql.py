"""The statements of the lease and of the instances, each with its purpose in its name."""

# ``@now`` is the dialect's clock; ``@lock`` is FOR UPDATE where rows have locks.
QUEUE = "SELECT pg_advisory_xact_lock(hashtextextended(:scope, 7364120252))"
NOTIFY = "SELECT pg_notify(:channel, :scope)"

RANK_DEPLOYMENT = (
    "INSERT INTO bot_deployments (scope, deployment_id, first_seen_us)"
    " SELECT CAST(:scope AS TEXT), CAST(:deployment_id AS TEXT), @now WHERE NOT EXISTS"
    " (SELECT 1 FROM bot_deployments WHERE scope = :scope AND deployment_id = :deployment_id)"
)
OPEN_SCOPE = (
    "INSERT INTO leader_lease (scope, epoch, generation, renew_seq, expires_us,"
    " clean_release, stood_down) VALUES (:scope, 0, 0, 0, 0, TRUE, FALSE)"
    " ON CONFLICT (scope) DO NOTHING"
)
ADD_INSTANCE = (
    "INSERT INTO bot_instances (instance_id, scope, deployment_id, generation, replica_id, host,"
    " pid, code_version, state, is_active, decided_by, decided_us, started_us, heartbeat_us)"
    " SELECT CAST(:instance_id AS TEXT), scope, deployment_id, generation,"
    " CAST(:replica_id AS TEXT), CAST(:host AS TEXT), CAST(:pid AS INTEGER),"
    " CAST(:code_version AS TEXT), 'standby', FALSE, CAST(:instance_id AS TEXT), @now, @now, @now"
    " FROM bot_deployments WHERE scope = :scope AND deployment_id = :deployment_id"
    " ON CONFLICT (instance_id) DO NOTHING"
)
INSTANCE_COLUMNS = (
    "SELECT instance_id, scope, deployment_id, generation, replica_id, host, pid, code_version,"
    " state, is_active, decided_by, epoch, started_us, heartbeat_us, stopped_us, stop_reason"
    " FROM bot_instances"
)
INSTANCE = f"{INSTANCE_COLUMNS} WHERE instance_id = :me"
CONCERNED = f"{INSTANCE_COLUMNS} WHERE scope = :scope AND (instance_id = :me OR is_active)"
# The living first, so that a list cut short by restart loops never hides one.
LISTED = (
    f"{INSTANCE_COLUMNS} WHERE scope = :scope ORDER BY"
    " CASE WHEN stopped_us IS NULL AND heartbeat_us >= :alive_us THEN 0 ELSE 1 END,"
    " started_us DESC, instance_id DESC LIMIT :limit"
)
LAST_LED = (
    f"{INSTANCE_COLUMNS} WHERE scope = :scope AND epoch IS NOT NULL ORDER BY epoch DESC LIMIT 1"
)
LEASE = (
    "SELECT epoch, holder, generation, renew_seq, acquired_us, renewed_us, expires_us,"
    " clean_release, stood_down, @now AS now_us FROM leader_lease WHERE scope = :scope"
)
LEADER_OF_EPOCH = (
    "SELECT instance_id, stop_reason FROM bot_instances WHERE scope = :scope AND epoch = :epoch"
)
BEAT = "UPDATE bot_instances SET heartbeat_us = @now WHERE instance_id = :me RETURNING is_active"
WANTED = "SELECT instance_id FROM bot_instances WHERE scope = :scope AND is_active"

UNWANT_OTHERS = (
    "UPDATE bot_instances SET is_active = FALSE, decided_by = :me,"
    " decided_us = @greatest(decided_us + 1, @now)"
    " WHERE scope = :scope AND is_active AND instance_id <> :me"
)
WANT_ME = (
    "UPDATE bot_instances SET is_active = TRUE, decided_by = :me, heartbeat_us = @now,"
    " decided_us = @greatest(decided_us + 1, @now) WHERE instance_id = :me AND stopped_us IS NULL"
)
TAKE = (
    "UPDATE leader_lease SET epoch = :epoch, holder = :me, generation = :generation,"
    " renew_seq = renew_seq + 1, acquired_us = @now, renewed_us = @now,"
    " expires_us = @now + :lease_us, clean_release = FALSE, stood_down = FALSE"
    " WHERE scope = :scope"
)
BEGIN_TERM = (
    "UPDATE bot_instances SET epoch = :epoch, state = 'activating', heartbeat_us = @now"
    " WHERE instance_id = :me"
)
EXTEND = (
    "UPDATE leader_lease SET renew_seq = renew_seq + 1, renewed_us = @now,"
    " expires_us = @now + :lease_us"
    " WHERE scope = :scope AND epoch = :epoch AND holder = :me AND expires_us > @now"
)
# Both in one round trip. The instance's row first: the subquery is evaluated before any lease
# row is looked at.
RENEW_AT_ONCE = (
    "WITH beat AS (@beat),"
    " kept AS (@extend AND (SELECT count(*) FROM beat) >= 0 RETURNING 1)"
    " SELECT (SELECT is_active FROM beat) AS is_active, (SELECT count(*) FROM kept) AS kept"
)
RENEW_AT_ONCE = RENEW_AT_ONCE.replace("@beat", BEAT).replace("@extend", EXTEND)
END_TERM = (
    "UPDATE bot_instances SET state = 'released', heartbeat_us = @now WHERE instance_id = :me"
)
UNWANT_ME = (
    "UPDATE bot_instances SET is_active = FALSE, decided_by = :me,"
    " decided_us = @greatest(decided_us + 1, @now) WHERE instance_id = :me AND is_active"
)
RELEASE = (
    "UPDATE leader_lease SET holder = NULL, expires_us = @now, clean_release = :is_clean"
    " WHERE scope = :scope AND epoch = :epoch AND holder = :me"
)
MARK = "UPDATE bot_instances SET state = :state, heartbeat_us = @now WHERE instance_id = :me"
RETIRE = (
    "UPDATE bot_instances SET state = 'stopped', stopped_us = @now, stop_reason = :reason"
    " WHERE instance_id = :me"
)
# By the name of one process start and not by its epoch: it may have won one it could not report.
RELEASE_DEAD = (
    "UPDATE leader_lease SET holder = NULL, expires_us = @least(expires_us, @now),"
    " clean_release = FALSE WHERE scope = :scope AND holder = :me"
)
RETIRE_DEAD = f"{RETIRE} AND stopped_us IS NULL"
# Typed on purpose: decided_us stands still, so the triggers treat it as the operator's.
ACTIVATE = "UPDATE bot_instances SET is_active = TRUE WHERE instance_id = :me"
DEACTIVATE = (
    "UPDATE bot_instances SET is_active = FALSE"
    " WHERE is_active AND (:scope = '' OR scope = :scope) RETURNING instance_id"
)
