-- What oplog_compare reads, from the parts of both periods in rollups and in rows.
counted AS (
    SELECT
        {columns_listed}
        start_us AS block,
        sum(operations)::BIGINT AS operations,
        coalesce(sum(operations) FILTER (status <> 'success'), 0)::BIGINT AS errors,
        sum(timed)::BIGINT AS timed,
        sum(total_ms) AS total_ms
    FROM (
{parts}
    )
    GROUP BY ALL
),
binned AS (
    SELECT {columns_listed} start_us AS block, bin, sum(operations)::BIGINT AS timed
    FROM (
{bins}
    )
    GROUP BY ALL
),
listed AS (
    SELECT {columns_listed} block, string_agg(bin || ':' || timed, ' ') AS bins
    FROM binned
    GROUP BY ALL
),
blocked AS (
    SELECT *
    FROM counted
    LEFT JOIN listed USING ({columns_listed} block)
)
