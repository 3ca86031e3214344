-- Deletes everything but successes that is older than oplog_error_retention.
DELETE FROM {table}
WHERE status <> 'success' AND timestamp < $before;
