FROM {table} AS operation
JOIN expiring AS kind ON {matches}
WHERE epoch_us(operation.timestamp) < {latest_us} AND epoch_us(operation.timestamp) < kind.before_us
