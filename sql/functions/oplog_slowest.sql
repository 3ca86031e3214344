-- Which operations took longest? Those without a duration are no answer to that.
SELECT *
FROM operation_log
WHERE duration_ms IS NOT NULL AND {filters}
ORDER BY duration_ms DESC, seq DESC
LIMIT $n;
