-- Schema version 2: what retention did, for oplog_retention().

CREATE TABLE retention_runs (
    started_at TIMESTAMPTZ NOT NULL,
    reason VARCHAR NOT NULL,        -- success age, error age, size
    deleted BIGINT NOT NULL
);

UPDATE meta SET value = '2' WHERE key = 'schema_version';
