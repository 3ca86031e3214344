-- What has been deleted: when last, how much then, and how much in all?
SELECT reason, rule, epoch_us(max(started_at)), arg_max(deleted, started_at), sum(deleted)::BIGINT
FROM retention_runs
GROUP BY reason, rule;
