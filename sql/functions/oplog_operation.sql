-- What do we know about this one operation?
SELECT *
FROM operation_log
WHERE id = CAST(CAST($id AS VARCHAR) AS UUID);
