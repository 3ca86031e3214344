-- What the rows take before they are compressed.
SELECT coalesce(sum({row_bytes}), 0)::BIGINT
FROM operation_log;
