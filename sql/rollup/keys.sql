-- Keys for what has none yet.
INSERT INTO rollup_keys
SELECT
    (SELECT coalesce(max(key), 0) FROM rollup_keys) + row_number() OVER (ORDER BY command, project_id, status),
    command,
    project_id,
    status
FROM (
    SELECT DISTINCT counted_command AS command, NULL::VARCHAR AS project_id, status FROM rolling
    UNION ALL
    SELECT DISTINCT NULL::VARCHAR, counted_project_id, status FROM rolling
    UNION ALL
    SELECT DISTINCT counted_command, counted_project_id, status FROM rolling
) AS wanted
ANTI JOIN rollup_keys AS known ON
    wanted.command IS NOT DISTINCT FROM known.command
    AND wanted.project_id IS NOT DISTINCT FROM known.project_id
    AND wanted.status = known.status;
