-- Which operations ran, newest first?
SELECT *
FROM operation_log
WHERE {filters}
ORDER BY timestamp DESC, seq DESC
LIMIT $max_rows OFFSET $skip_rows;
