-- Where do the failures by code have more or fewer operations than failed? From hour {from} to hour {until}.
WITH counted AS (
    SELECT hour, status, sum(operations) AS operations
    FROM rollup_pair_1h
    JOIN rollup_keys USING (key)
    WHERE hour >= {from} AND hour < {until} AND status <> 'success'
    GROUP BY ALL
),
rolled AS (
    SELECT hour, status, sum(operations) AS operations
    FROM rollup_errors
    WHERE hour >= {from} AND hour < {until}
    GROUP BY ALL
)
SELECT
    count(*),
    min(hour),
    arg_min(status, hour),
    arg_min(coalesce(counted.operations, 0), hour)::BIGINT,
    arg_min(coalesce(rolled.operations, 0), hour)::BIGINT
FROM counted AS counted
FULL JOIN rolled AS rolled USING (hour, status)
WHERE hour >= (SELECT hours_since FROM rollup_state) AND counted.operations IS DISTINCT FROM rolled.operations;
