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
	created_at TIMESTAMP WITH TIME ZONE GENERATED ALWAYS AS (to_timestamp(at_us / 1000000.0)) STORED,
	cost NUMERIC(20, 6) GENERATED ALWAYS AS (cost_e6 / 1000000.0) STORED,
	CONSTRAINT pk_approval_steps PRIMARY KEY (scope, proposal, step)
)
-- next
CREATE INDEX ix_approval_steps_scope_at_us ON approval_steps (scope, at_us)
-- next
CREATE TRIGGER fence BEFORE INSERT OR UPDATE ON approval_steps FOR EACH ROW EXECUTE FUNCTION assert_leader()
-- down
DROP TABLE approval_steps
