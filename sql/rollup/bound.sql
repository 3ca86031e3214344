-- Names beyond the limit count under 'other'. {column} is the name, {alone} which keys have it alone.
WITH known AS (
    SELECT DISTINCT {column} AS name
    FROM rollup_keys
    WHERE {alone}
),
told_apart AS (
    SELECT name FROM known
    UNION ALL
    (
        SELECT DISTINCT {column}
        FROM rolling
        ANTI JOIN known ON known.name = rolling.{column}
        ORDER BY {column}
        LIMIT greatest({max} - (SELECT count(*) FROM known), 0)
    )
)
UPDATE rolling
SET counted_{column} = 'other'
WHERE {column} <> 'other' AND {column} NOT IN (SELECT name FROM told_apart);
