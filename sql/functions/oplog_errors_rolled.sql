-- What oplog_errors counts, from the failures of a period in rollups and in rows.
failure AS (
    SELECT
        error_code,
        command,
        sum(operations)::BIGINT AS count,
        min(first_at) AS first_at,
        max(last_at) AS last_at,
        arg_max(last_message, last_seq) AS last_message
    FROM (
{errors}
    )
    GROUP BY error_code, command
)
