-- Where the totals that have changed wait to be put in place: never in the log's own file.
CREATE OR REPLACE TEMP TABLE staged_metric_values (
    slot UBIGINT NOT NULL,
    value DOUBLE NOT NULL
);
