-- Who uses how much, and when is it busiest? Time is cut into hours, each of which is one of the 168 hours of a week; hours in
-- which nothing ran count too.
WITH bucket AS (
    SELECT
        start_us,
        hour_of_week,
        lead(start_us, 1, epoch_us($until_used::TIMESTAMPTZ)) OVER (ORDER BY start_us) AS end_us
    FROM (
        SELECT
            unnest(CAST($starts_us::VARCHAR AS BIGINT[])) AS start_us,
            unnest(CAST($hours_of_week::VARCHAR AS BIGINT[])) AS hour_of_week
    )
),
{cell},
-- Of the operations:
operation AS (
    SELECT
        {columns_listed}
        {bucket_of_operation} AS start_us,
        count(*) AS operations,
        count(*) FILTER (status <> 'success') AS errors,
        sum(duration_ms) AS total_ms,
        sum(rows_affected) AS rows_affected,
        sum(bytes_in) AS bytes_in,
        sum(bytes_out) AS bytes_out
    FROM operation_log{join_cells}
    WHERE {filters}
    GROUP BY ALL
),
-- The answer:
grouped AS (
    {groups}
),
-- The hours of a week that there are in the period, and how many hours they are in all.
hour_of_week AS (
    SELECT
        hour_of_week,
        hour_of_week // 24 + 1 AS weekday,
        ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][hour_of_week // 24 + 1] AS day,
        hour_of_week % 24 AS hour,
        sum(end_us - greatest(start_us, epoch_us($since_used::TIMESTAMPTZ))) / 3.6e9 AS hours
    FROM bucket
    GROUP BY hour_of_week
),
counted AS (
    SELECT
        {columns_listed}
        hour_of_week,
        sum(operations) AS operations,
        max(operations) AS max_per_hour,
        sum(errors) AS errors,
        sum(total_ms) AS total_ms,
        sum(rows_affected) AS rows_affected,
        sum(bytes_in) AS bytes_in,
        sum(bytes_out) AS bytes_out
    FROM operation
    JOIN bucket USING (start_us)
    GROUP BY ALL
),
slot AS (
    SELECT
        {by_grouped}
        hour_of_week.*,
        coalesce(operations, 0) AS operations,
        coalesce(operations, 0) / nullif(hours, 0) AS per_hour,
        max_per_hour,
        errors,
        total_ms,
        rows_affected,
        bytes_in,
        bytes_out,
        day || ' ' || lpad(hour::VARCHAR, 2, '0') || ':00' AS named
    FROM hour_of_week
    CROSS JOIN grouped
    LEFT JOIN counted ON counted.hour_of_week = hour_of_week.hour_of_week{by_matched}
),
summed AS (
    SELECT
        {by_listed}
        sum(operations)::BIGINT AS operations,
        sum(hours) AS hours,
        coalesce(max(max_per_hour), 0)::BIGINT AS max_per_hour,
        first(named ORDER BY per_hour DESC NULLS LAST, hour_of_week) AS busiest,
        first(named ORDER BY per_hour NULLS LAST, hour_of_week) AS quietest,
        coalesce(sum(errors), 0)::BIGINT AS errors,
        sum(total_ms) AS total_ms,
        sum(rows_affected) AS rows_affected,
        sum(bytes_in) AS bytes_in,
        sum(bytes_out) AS bytes_out
    FROM slot
    GROUP BY {by}
)
SELECT
    {by_listed}
    operations,
    operations / nullif(sum(operations) OVER (), 0) AS share,
    operations / nullif(hours, 0) AS per_hour,
    max_per_hour,
    busiest,
    quietest,
    errors,
    total_ms,
    CASE WHEN rows_affected > 9223372036854775807 THEN 9223372036854775807 ELSE rows_affected END::BIGINT AS rows_affected,
    CASE WHEN bytes_in > 9223372036854775807 THEN 9223372036854775807 ELSE bytes_in END::BIGINT AS bytes_in,
    CASE WHEN bytes_out > 9223372036854775807 THEN 9223372036854775807 ELSE bytes_out END::BIGINT AS bytes_out,
    $complete_since::TIMESTAMPTZ AS complete_since
FROM summed
ORDER BY {time_listed} operations DESC, {by};
