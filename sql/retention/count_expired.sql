-- How many operations go, by which rule, and when did the newest of them end?
SELECT position, count(*), max(epoch_us(timestamp))
FROM {table} AS operation
JOIN expiring AS kind ON {matches}
WHERE timestamp < $before AND epoch_us(timestamp) < before_us
GROUP BY position;
