-- Deletes successes that are older than oplog_retention.
DELETE FROM operation_log
WHERE status = 'success' AND timestamp < $before;
