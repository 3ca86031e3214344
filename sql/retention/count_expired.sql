-- How many operations go, by which rule?
SELECT position, count(*)
FROM {table} AS operation
JOIN expiring AS kind ON {matches}
WHERE timestamp < $before AND epoch_us(timestamp) < before_us
GROUP BY position;
