-- Adds up what was deleted before the last run of each rule and setting.
CREATE OR REPLACE TEMP TABLE earlier AS
SELECT max(started_at) AS started_at, reason, sum(deleted)::BIGINT AS deleted, rule
FROM retention_runs
ANTI JOIN (
    SELECT max(started_at) AS last_at, reason AS of_reason, rule AS of_rule
    FROM retention_runs
    GROUP BY reason, rule
) ON started_at = last_at AND reason = of_reason AND rule IS NOT DISTINCT FROM of_rule
GROUP BY reason, rule;
DELETE FROM retention_runs AS run
USING earlier
WHERE run.reason = earlier.reason AND run.rule IS NOT DISTINCT FROM earlier.rule AND run.started_at <= earlier.started_at;
INSERT INTO retention_runs BY NAME FROM earlier;
DROP TABLE earlier;
