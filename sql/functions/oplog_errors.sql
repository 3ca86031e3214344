-- What failed, how often, since when, and what did it say last? Every status but success is a failure.
WITH
-- Of the operations:
failure AS (
    SELECT
        error_code,
        command,
        count(*) AS count,
        min(timestamp) AS first_at,
        max(timestamp) AS last_at,
        arg_max(error_message, seq) AS last_message
    FROM operation_log
    WHERE status <> 'success' AND {filters}
    GROUP BY error_code, command
)
-- The answer:
SELECT *, $complete_since::TIMESTAMPTZ AS complete_since
FROM failure
ORDER BY count DESC, last_at DESC;
