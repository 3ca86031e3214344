-- How many operations have the totals of metrics counted, how many are in the log, and how many has retention deleted?
SELECT
    (SELECT coalesce(sum(value), 0)::BIGINT FROM metric_values WHERE family = 'duckdb_operations_total' AND part = 'value'),
    (SELECT count(*) FROM operation_log),
    (SELECT coalesce(sum(deleted), 0)::BIGINT FROM retention_runs);
