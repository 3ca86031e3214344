-- Schema version 4: the totals of metrics, committed together with the operations that they count.

CREATE TABLE metric_families (
    name VARCHAR NOT NULL,
    type VARCHAR NOT NULL,      -- counter, gauge, histogram
    help VARCHAR NOT NULL,
    labels VARCHAR,             -- names as a JSON list; NULL before the first use
    buckets VARCHAR             -- a histogram's upper bounds as a JSON list
);

-- One row a number: a counter's value, or a histogram's sum and buckets; and when the series began.
CREATE TABLE metric_values (
    slot UBIGINT NOT NULL,      -- what a commit updates the row by
    family VARCHAR NOT NULL,
    labels VARCHAR NOT NULL,    -- values as a JSON list, in the order of the family's labels
    part VARCHAR NOT NULL,      -- value, sum, bucket, created (seconds since 1970)
    bound DOUBLE,               -- the upper bound of a bucket; NULL for the one above all bounds
    value DOUBLE NOT NULL       -- of a bucket: what fell into it alone
);

UPDATE meta SET value = '4' WHERE key = 'schema_version';
