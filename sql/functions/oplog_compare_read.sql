-- What is there to compare: of each group and block of time how many operations, failures and durations, and the bins of these.
-- Blocks of the period before are numbered from 0, those of the period from 1,000,000.
WITH
-- Of the operations:
binned AS (
    SELECT
        {columns_listed}
        {bucket_of_operation} AS block,
        CASE WHEN duration_ms IS NOT NULL THEN {bin_of_operation} END AS bin,
        count(*) AS operations,
        count(*) FILTER (status <> 'success') AS errors,
        count(duration_ms) AS timed,
        sum(duration_ms) AS total_ms
    FROM operation_log
    WHERE {filters}
    GROUP BY ALL
),
blocked AS (
    SELECT
        {columns_listed}
        block,
        sum(operations)::BIGINT AS operations,
        sum(errors)::BIGINT AS errors,
        sum(timed)::BIGINT AS timed,
        sum(total_ms) AS total_ms,
        string_agg(bin || ':' || timed, ' ') AS bins
    FROM binned
    GROUP BY ALL
)
-- The answer:
SELECT {columns_listed} block, operations, errors, timed, total_ms, bins
FROM blocked;
