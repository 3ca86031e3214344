-- Which kinds of operations have some that are too old? A kind is what the rules tell apart, and a position is that of the rule or
-- setting which decides on it.
CREATE OR REPLACE TEMP TABLE expiring AS
SELECT {columns}, position, before_us
FROM (
    SELECT *, {before_us} AS before_us
    FROM (
        SELECT *, {position} AS position
        FROM (
            SELECT {columns}, min(epoch_us(timestamp)) AS first_us
            FROM {table}
            WHERE timestamp < $before
            GROUP BY {columns}
        )
    )
)
WHERE first_us < before_us;
