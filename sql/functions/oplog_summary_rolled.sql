-- oplog_summary, where rows are gone or are many: from the parts of the period in rollups and in rows.
WITH part AS (
{parts}
),
total AS (
    SELECT
        coalesce(sum(operations), 0)::BIGINT AS operations,
        coalesce(sum(operations) FILTER (status = 'success'), 0)::BIGINT AS successes,
        sum(total_ms) / sum(timed) AS avg_ms,
        sum(queue_wait_ms) / sum(queued) AS avg_queue_wait_ms,
        max(max_ms) AS max_ms
    FROM part
),
by_command AS (
    SELECT command, sum(operations)::BIGINT AS operations, sum(total_ms) / sum(timed) AS avg_ms
    FROM part
    GROUP BY command
),
by_code AS (
    SELECT error_code AS code, sum(operations)::BIGINT AS operations
    FROM (
{errors}
    )
    GROUP BY error_code
),
binned AS (
    SELECT bin, sum(operations) AS operations
    FROM (
{bins}
    )
    GROUP BY bin
),
ranked AS (
    SELECT bin, sum(operations) OVER (ORDER BY bin) AS below, sum(operations) OVER () AS n
    FROM binned
),
quantile AS (
    SELECT
        any_value(n)::DOUBLE AS n,
        {p50_bins},
        {p95_bins},
        {p99_bins}
    FROM ranked
)
SELECT
    $period::VARCHAR AS period,
    $since_used::TIMESTAMPTZ AS since,
    $until_used::TIMESTAMPTZ AS until,
    operations AS total_operations,
    CASE WHEN operations > 0 THEN successes / operations END AS success_rate,
    avg_ms AS avg_duration_ms,
    {p50} AS p50_duration_ms,
    {p95} AS p95_duration_ms,
    {p99} AS p99_duration_ms,
    avg_queue_wait_ms,
    coalesce(
        (
            SELECT map(
                list(command ORDER BY operations DESC, command),
                list({'count': operations, 'avg_ms': avg_ms} ORDER BY operations DESC, command)
            )
            FROM by_command
        ),
        map()
    ) AS by_command,
    coalesce(
        (
            SELECT list({'code': code, 'count': operations} ORDER BY operations DESC, code)
            FROM by_code
        ),
        []
    ) AS errors,
    $complete_since::TIMESTAMPTZ AS complete_since
FROM total, quantile;
