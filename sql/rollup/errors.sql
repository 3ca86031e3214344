-- Failures by code.
INSERT INTO rollup_errors
SELECT
    {hour} AS hour,
    command,
    project_id,
    status,
    error_code,
    count(*),
    min(timestamp),
    max(timestamp),
    max(seq),
    arg_max(error_message[1:1000], seq)
FROM operation_log
WHERE seq >= {from} AND seq < {until} AND status <> 'success'
GROUP BY ALL
ORDER BY hour;
