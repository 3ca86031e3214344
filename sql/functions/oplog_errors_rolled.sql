-- oplog_errors, where rows are gone or are many: from the failures of the period in rollups and in rows.
SELECT
    error_code,
    command,
    sum(operations)::BIGINT AS count,
    min(first_at) AS first_at,
    max(last_at) AS last_at,
    arg_max(last_message, last_seq) AS last_message,
    $complete_since::TIMESTAMPTZ AS complete_since
FROM (
{errors}
)
GROUP BY error_code, command
ORDER BY count DESC, last_at DESC;
