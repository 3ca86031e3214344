-- Where do the bins of durations have more or fewer operations than were timed? From hour {from} to hour {until}.
WITH counted AS (
    SELECT hour, key, sum(timed) AS operations
    FROM {table}
    WHERE hour >= {from} AND hour < {until}
    GROUP BY ALL
    HAVING sum(timed) > 0
),
rolled AS (
    SELECT hour, key, sum(operations) AS operations
    FROM {table}_durations
    WHERE hour >= {from} AND hour < {until}
    GROUP BY ALL
)
SELECT
    count(*),
    min(hour),
    arg_min('key ' || key, hour),
    arg_min(coalesce(counted.operations, 0), hour)::BIGINT,
    arg_min(coalesce(rolled.operations, 0), hour)::BIGINT
FROM counted AS counted
FULL JOIN rolled AS rolled USING (hour, key)
WHERE counted.operations IS DISTINCT FROM rolled.operations;
