-- On how many operations does each rule and setting decide, and how many of these are too old?
WITH kind AS (
    SELECT *, {before_us} AS before_us
    FROM (
        SELECT *, {position} AS position
        FROM (
            SELECT {columns}, count(*) AS operations
            FROM operation_log
            GROUP BY {columns}
        )
    )
),
expired AS (
    SELECT position, count(*) AS operations
    FROM operation_log AS operation
    JOIN kind ON {matches}
    WHERE timestamp < $before AND epoch_us(timestamp) < before_us
    GROUP BY position
)
SELECT position, sum(kind.operations)::BIGINT, coalesce(any_value(expired.operations), 0)
FROM kind
LEFT JOIN expired USING (position)
GROUP BY position;
