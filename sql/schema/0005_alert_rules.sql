-- Schema version 5: the alert rules. Those that every log begins with are rows like any other.

CREATE TABLE alert_rules (
    name VARCHAR PRIMARY KEY,
    enabled BOOLEAN NOT NULL,
    metric VARCHAR NOT NULL,
    comparison VARCHAR NOT NULL,      -- >, >=, <, <=
    threshold DOUBLE NOT NULL,        -- in the metric's unit
    period_us BIGINT NOT NULL,        -- what the metric is measured over; 0 where it has no period
    hold_for_us BIGINT NOT NULL,      -- how long the condition has to hold until it fires
    min_operations BIGINT NOT NULL,   -- with fewer in the period there is no value
    severity VARCHAR NOT NULL,
    summary VARCHAR NOT NULL,
    command VARCHAR,                  -- GLOB patterns; NULL for any
    project_id VARCHAR,
    table_name VARCHAR
);

-- Enabled is what holds for every service. What needs a target of its own is there to be filled in and switched on.
INSERT INTO alert_rules VALUES
    ('cpu_high', true, 'cpu_percent', '>', 90, 60000000, 60000000, 0,
     'warning', 'The process uses nearly all CPUs that it has', NULL, NULL, NULL),
    ('memory_high', true, 'memory_percent', '>', 80, 0, 0, 0,
     'warning', 'The process holds most of the memory that it may have', NULL, NULL, NULL),
    ('disk_full', true, 'disk_percent', '>', 90, 0, 0, 0,
     'critical', 'The disk of the database or of the log is nearly full', NULL, NULL, NULL),
    ('operations_failing', true, 'errors', '>', 10, 60000000, 0, 0,
     'warning', 'Many operations fail', NULL, NULL, NULL),
    ('sync_failing', true, 'consecutive_errors', '>', 5, 86400000000, 0, 0,
     'critical', 'Synchronisation has failed several times in a row', 'sync*', NULL, NULL),
    ('success_rate_low', false, 'success_rate', '<', 0.99, 300000000, 60000000, 20,
     'warning', 'Fewer operations succeed than should', NULL, NULL, NULL),
    ('average_duration_high', false, 'avg_duration_ms', '>', 1000, 300000000, 60000000, 0,
     'warning', 'Operations take longer on average than they should', NULL, NULL, NULL),
    ('p95_duration_high', false, 'p95_duration_ms', '>', 2500, 300000000, 60000000, 0,
     'warning', 'One operation in twenty takes longer than it should', NULL, NULL, NULL),
    ('no_operations', false, 'seconds_since_last_operation', '>', 3600, 0, 0, 0,
     'warning', 'Nothing has been recorded for some time', NULL, NULL, NULL);

UPDATE meta SET value = '5' WHERE key = 'schema_version';
