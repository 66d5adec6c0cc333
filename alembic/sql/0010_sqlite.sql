CREATE TABLE approval_steps (
	scope TEXT NOT NULL,
	proposal TEXT NOT NULL,
	step TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	ticker TEXT NOT NULL,
	side TEXT NOT NULL,
	own_price_e4 BIGINT NOT NULL,
	quantity_e2 BIGINT NOT NULL,
	cost_e6 BIGINT NOT NULL,
	actor TEXT NOT NULL,
	note TEXT NOT NULL,
	at_us BIGINT NOT NULL,
	created_at TEXT GENERATED ALWAYS AS (strftime('%Y-%m-%dT%H:%M:%fZ', at_us / 1000000.0, 'unixepoch')) STORED,
	cost NUMERIC(20, 6) GENERATED ALWAYS AS (cost_e6 / 1000000.0) STORED,
	CONSTRAINT pk_approval_steps PRIMARY KEY (scope, proposal, step)
)
-- next
CREATE INDEX ix_approval_steps_scope_at_us ON approval_steps (scope, at_us)
-- next
CREATE TRIGGER fence_insert_approval_steps BEFORE INSERT ON approval_steps BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_update_approval_steps BEFORE UPDATE ON approval_steps BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- down
DROP TABLE approval_steps
