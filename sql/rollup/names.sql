-- What the operations are counted by that are in no rollup yet: as it was recorded, and as it is counted.
CREATE OR REPLACE TEMP TABLE rolling AS
SELECT command, project_id, status, command AS counted_command, project_id AS counted_project_id
FROM operation_log
WHERE seq >= {from} AND seq < {until}
GROUP BY ALL;
