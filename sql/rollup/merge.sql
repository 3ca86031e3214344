-- Adds up what several rolls have counted of the same hours.
CREATE OR REPLACE TEMP TABLE merging AS
SELECT
    hour,
    key,
    {sums}
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
