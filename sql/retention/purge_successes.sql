-- Deletes successes that are older than oplog_retention.
DELETE FROM {table}
WHERE status = 'success' AND timestamp < $before;
