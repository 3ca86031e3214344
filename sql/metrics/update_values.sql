-- Puts staged totals in place: one statement, however many of them have changed.
UPDATE metric_values
SET value = staged.value
FROM staged_metric_values AS staged
WHERE metric_values.slot = staged.slot;
