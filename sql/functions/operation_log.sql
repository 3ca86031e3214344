-- Every operation there is. A relation has no order; oplog_operations() has one.
SELECT * FROM operation_log;
