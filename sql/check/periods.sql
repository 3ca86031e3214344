-- Where do rollups of a longer period say something else than those which they are made of? As far as all of these are there, from
-- hour {from} to hour {until}.
WITH known AS (
    SELECT
        greatest({since}, (SELECT coalesce(min(hour), 2147483647) FROM {below})) AS since,
        until_{level} AS until
    FROM rollup_state
),
counted AS (
    SELECT {period} AS hour, {names}, {sums}
    FROM {below}
    JOIN rollup_keys USING (key)
    WHERE hour >= {from} AND hour < {until}
    GROUP BY ALL
),
rolled AS (
    SELECT hour, {names}, {sums}
    FROM {table}
    JOIN rollup_keys USING (key)
    WHERE hour >= {from} AND hour < {until}
    GROUP BY ALL
)
SELECT
    count(*),
    min(hour),
    arg_min(concat_ws(', ', {names}), hour),
    arg_min(coalesce(counted.operations, 0), hour)::BIGINT,
    arg_min(coalesce(rolled.operations, 0), hour)::BIGINT
FROM counted AS counted
FULL JOIN rolled AS rolled USING (hour, {names})
WHERE hour >= (SELECT since FROM known) AND hour + {hours} <= (SELECT until FROM known) AND ({differ});
