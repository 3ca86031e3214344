-- What oplog_usage counts, from the parts of a period in rollups and in rows, each with its hour.
operation AS (
    SELECT
        {columns_listed}
        start_us,
        sum(operations)::BIGINT AS operations,
        coalesce(sum(operations) FILTER (status <> 'success'), 0)::BIGINT AS errors,
        sum(total_ms) AS total_ms,
        sum(rows_affected) AS rows_affected,
        sum(bytes_in) AS bytes_in,
        sum(bytes_out) AS bytes_out
    FROM (
{parts}
    )
    GROUP BY ALL
),
