-- The memory limit in bytes. DuckDB has it as a text only, cut to a tenth of its unit: 10GB is shown as 9.3 GiB. This is the
-- roundest number that is shown so, which is what somebody has set; a limit that is no round number is up to a tenth of the
-- shown unit off. NULL if the text is of another kind.
WITH setting AS (
    -- What DuckDB shows of the limit, and of what it derives from it: a fifth, shared by the threads and one more.
    SELECT
        value AS shown,
        CASE name
            WHEN 'memory_limit' THEN 1
            ELSE 5 * (current_setting('threads')::BIGINT + 1)
        END AS parts,
        split_part(shown, ' ', 1) AS number,
        CASE split_part(shown, ' ', 2)
            WHEN 'KiB' THEN 1024
            WHEN 'MiB' THEN 1048576
            WHEN 'GiB' THEN 1073741824
            WHEN 'TiB' THEN 1099511627776
            WHEN 'PiB' THEN 1125899906842624
            ELSE 1
        END::DOUBLE AS unit,
        split_part(number, '.', 1)::DOUBLE AS whole,
        split_part(number, '.', 2) AS tenths
    FROM duckdb_settings()
    WHERE name IN ('memory_limit', 'write_buffer_row_group_memory_limit')
),
bound AS (
    -- Every number from low to below high is shown like that. Without tenths it is shown in full.
    SELECT
        parts,
        parts * (whole * unit + CASE tenths WHEN '' THEN 0 ELSE ceil(tenths::DOUBLE * 102.4) * unit / 1024 END) AS low,
        parts * (whole * unit + CASE tenths WHEN '' THEN 1 ELSE ceil((tenths::DOUBLE + 1) * 102.4) * unit / 1024 END) AS high
    FROM setting
),
possible AS (
    SELECT max(low) AS low, min(high) AS high FROM bound
    UNION ALL
    -- The other one can have been set to anything.
    SELECT low, high FROM bound WHERE parts = 1
),
fitting AS (
    SELECT
        floor(ceil(low / step) * step) AS bytes,
        length(rtrim(format('{:.0f}', ceil(low / step)), '0')) AS digits,
        high - low AS width
    FROM possible,
        (
            SELECT unit * power AS step
            FROM (SELECT unnest([1, 1e3, 1e6, 1e9, 1e12, 1024, 1048576, 1073741824, 1099511627776]) AS unit),
                (SELECT unnest([0.01, 0.1, 1, 10, 100]) AS power)
        ) AS steps
    WHERE low < high AND floor(ceil(low / step) * step) BETWEEN low AND high - 1
)
SELECT bytes
FROM fitting
ORDER BY width, digits, bytes
LIMIT 1
