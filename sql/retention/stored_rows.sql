-- Rows that take space: the live ones, and the deleted ones whose row group is not given back yet.
SELECT coalesce(sum(count), 0)::BIGINT
FROM pragma_storage_info('operation_log')
WHERE column_name = 'seq' AND segment_type <> 'VALIDITY';
