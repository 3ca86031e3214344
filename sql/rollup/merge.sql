-- Adds up what several rolls have counted of the same hours.
CREATE OR REPLACE TEMP TABLE merging AS
SELECT
    hour,
    key,
    sum(operations) AS operations,
    sum(timed) AS timed,
    sum(total_ms) AS total_ms,
    max(max_ms) AS max_ms,
    sum(queued) AS queued,
    sum(queue_wait_ms) AS queue_wait_ms,
    max(max_queue_wait_ms) AS max_queue_wait_ms,
    sum(rows_affected) AS rows_affected,
    sum(bytes_in) AS bytes_in,
    sum(bytes_out) AS bytes_out,
    min(first_at) AS first_at,
    max(last_at) AS last_at
FROM {table}
WHERE hour >= {from}
GROUP BY hour, key;
DELETE FROM {table} WHERE hour >= {from};
INSERT INTO {table} BY NAME FROM merging ORDER BY hour, key;

CREATE OR REPLACE TEMP TABLE merging AS
SELECT hour, key, bin, sum(operations) AS operations
FROM {table}_durations
WHERE hour >= {from}
GROUP BY hour, key, bin;
DELETE FROM {table}_durations WHERE hour >= {from};
INSERT INTO {table}_durations BY NAME FROM merging ORDER BY hour, key, bin;
DROP TABLE merging;
