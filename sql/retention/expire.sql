-- Deletes what is too old.
DELETE FROM {table} AS operation
USING expiring AS kind
WHERE {matches} AND operation.timestamp < $before AND epoch_us(operation.timestamp) < kind.before_us;
