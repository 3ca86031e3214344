-- Which operations ran, newest first?
SELECT *
FROM {operations}
WHERE {filters}
ORDER BY timestamp DESC, seq DESC
LIMIT $max_rows OFFSET $skip_rows;
