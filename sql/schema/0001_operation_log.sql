-- Schema version 1: the log, and what oplog has to remember about it.

-- One row an operation, in the order in which oplog accepted them.
CREATE TABLE operation_log (
    id UUID NOT NULL,                     -- version 7, in the order of seq
    timestamp TIMESTAMPTZ NOT NULL,       -- when the operation ended
    command VARCHAR NOT NULL,
    status VARCHAR NOT NULL,              -- one of LOGGED_STATUSES in record/value.rs
    duration_ms DOUBLE,
    project_id VARCHAR NOT NULL,
    branch_id VARCHAR NOT NULL,
    bucket_name VARCHAR,
    table_name VARCHAR,
    queue_wait_ms DOUBLE,
    rows_affected BIGINT,
    bytes_in BIGINT,
    bytes_out BIGINT,
    error_code VARCHAR,
    error_message VARCHAR,
    request_id VARCHAR,
    connection_job_id VARCHAR,
    connection_run_id VARCHAR,
    trace_id VARCHAR,
    span_id VARCHAR,
    parent_span_id VARCHAR,
    metadata VARCHAR,                     -- JSON text
    source VARCHAR NOT NULL,              -- the function that wrote the record
    host_connection_id UBIGINT NOT NULL,  -- the connection that called it, within its process
    seq UBIGINT NOT NULL                  -- 1, 2, 3, … without gaps
);

-- schema_version: the number of the last schema file applied.
-- next_seq: what the next record gets; committed together with the records below it.
-- moved_to: the file that oplog_open() moved this log to.
CREATE TABLE meta (
    key VARCHAR PRIMARY KEY,
    value VARCHAR NOT NULL
);

INSERT INTO meta VALUES ('schema_version', '1'), ('next_seq', '1');

-- The settings that somebody has set; a missing one has its default.
CREATE TABLE settings (
    name VARCHAR PRIMARY KEY,
    value VARCHAR NOT NULL
);
