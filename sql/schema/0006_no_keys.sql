-- Schema version 6: no table has a key. When a write-ahead log cannot be synced, DuckDB takes the commit back, and where
-- the commit had deleted a key and put it in again, that is an error in a thread of its own, which ends the process. Only
-- the log's owner writes these tables, and it puts nothing in that is there.
CREATE TABLE meta_without_key (
    key VARCHAR NOT NULL,
    value VARCHAR NOT NULL
);
INSERT INTO meta_without_key
SELECT key, CASE key WHEN 'schema_version' THEN '6' ELSE value END FROM meta;
DROP TABLE meta;
ALTER TABLE meta_without_key RENAME TO meta;

CREATE TABLE settings_without_key (
    name VARCHAR NOT NULL,
    value VARCHAR NOT NULL
);
INSERT INTO settings_without_key SELECT name, value FROM settings;
DROP TABLE settings;
ALTER TABLE settings_without_key RENAME TO settings;

CREATE TABLE alert_rules_without_key (
    name VARCHAR NOT NULL,
    enabled BOOLEAN NOT NULL,
    metric VARCHAR NOT NULL,
    comparison VARCHAR NOT NULL,
    threshold DOUBLE NOT NULL,
    period_us BIGINT NOT NULL,
    hold_for_us BIGINT NOT NULL,
    min_operations BIGINT NOT NULL,
    severity VARCHAR NOT NULL,
    summary VARCHAR NOT NULL,
    command VARCHAR,
    project_id VARCHAR,
    table_name VARCHAR
);
INSERT INTO alert_rules_without_key
SELECT
    name, enabled, metric, comparison, threshold, period_us, hold_for_us, min_operations, severity, summary,
    command, project_id, table_name
FROM alert_rules;
DROP TABLE alert_rules;
ALTER TABLE alert_rules_without_key RENAME TO alert_rules;
