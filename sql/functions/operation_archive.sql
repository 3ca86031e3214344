-- Every operation of log and archive. A relation has no order; oplog_operations(archive := true) has one.
SELECT * FROM {operations};
