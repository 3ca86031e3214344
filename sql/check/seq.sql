-- How many operations are there, and how many of them have a number that has not been given out?
SELECT
    count(*),
    count(*) FILTER (seq = 0 OR seq >= next_seq)
FROM operation_log, (SELECT coalesce(try_cast(any_value(value) AS UBIGINT), 0) AS next_seq FROM meta WHERE key = 'next_seq');
