-- Schema version 9: what metrics were over time. See docs/architecture.md, "The way of a sample".

-- One row a series and minute, and where a process ends.
CREATE TABLE history_1m (
    timestamp TIMESTAMPTZ NOT NULL,
    metric VARCHAR NOT NULL,
    labels VARCHAR NOT NULL,    -- as text that can be cast to MAP(VARCHAR, VARCHAR)
    value DOUBLE NOT NULL,      -- of a counter, its rise a second since the sample before
    increase DOUBLE             -- of a counter, its rise since the sample before; NULL for a gauge
);

-- The same by the hour, when an hour has ended.
CREATE TABLE history_1h (
    timestamp TIMESTAMPTZ NOT NULL,    -- where the hour begins
    metric VARCHAR NOT NULL,
    labels VARCHAR NOT NULL,
    samples BIGINT NOT NULL,
    avg DOUBLE NOT NULL,
    min DOUBLE NOT NULL,
    max DOUBLE NOT NULL,
    last DOUBLE NOT NULL,
    increase DOUBLE
);

-- Metrics of which history is kept besides those that always have one.
CREATE TABLE history_metrics (
    name VARCHAR NOT NULL
);

UPDATE meta SET value = '9' WHERE key = 'schema_version';
