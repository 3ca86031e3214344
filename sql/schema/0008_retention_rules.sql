-- Schema version 8: retention rules, and which of them has deleted what.

CREATE TABLE retention_rules (
    name VARCHAR NOT NULL,
    command VARCHAR,        -- GLOB patterns; NULL for any
    project_id VARCHAR,
    status VARCHAR,         -- statuses, separated by commas; NULL for any
    keep VARCHAR NOT NULL   -- an interval, or forever
);

-- NULL for what a setting has deleted.
ALTER TABLE retention_runs ADD COLUMN rule VARCHAR;

UPDATE meta SET value = '8' WHERE key = 'schema_version';
