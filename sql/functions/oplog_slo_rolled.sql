-- What oplog_slo counts, from the parts of a period in rollups and in rows. A duration is longer than the target if its bin is.
operation AS (
    SELECT {columns_listed} part, sum(operations)::BIGINT AS operations, sum(bad)::BIGINT AS bad
    FROM (
        SELECT
            {columns_listed}
            start_us AS part,
            operations,
            CASE WHEN status <> 'success' THEN operations ELSE 0 END AS bad
        FROM (
{parts}
        )
        UNION ALL
        SELECT {columns_listed} start_us AS part, 0 AS operations, operations AS bad
        FROM (
{bins}
        )
        WHERE status = 'success' AND $max_duration_ms::DOUBLE IS NOT NULL AND bin > {bin_of_max_duration}
    )
    GROUP BY ALL
),
