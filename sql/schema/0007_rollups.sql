-- Schema version 7: what is left of operations when retention has deleted them: how many there were and how long they
-- took, hour by hour and for longer periods, by command, by project and by both. See docs/architecture.md, "The way of a
-- rollup".

-- What there is to know of all of them. One row.
CREATE TABLE rollup_state (
    rolled_seq UBIGINT NOT NULL,        -- operations below are in the rollups, once each
    rows_since_us BIGINT NOT NULL,      -- of the operations that ended from then on, all rows are there
    rollups_since_us BIGINT NOT NULL,   -- of those that ended from then on, all are in the rollups or in the rows
    hours_since INTEGER NOT NULL,       -- rollups of single hours before have been deleted; hours are counted from 1970
    until_1d INTEGER NOT NULL,          -- up to which hour there are rollups of one day,
    until_8d INTEGER NOT NULL,          -- of eight days,
    until_64d INTEGER NOT NULL,         -- and of sixty-four
    overflowed BOOLEAN NOT NULL         -- some stand under 'other', since there were too many different ones
);
-- Where retention has run before, operations are missing of which nothing is known any more.
INSERT INTO rollup_state
SELECT
    0,
    since_us,
    since_us,
    -2147483648, -2147483648, -2147483648, -2147483648, false
FROM (
    SELECT
        CASE WHEN (SELECT count(*) FROM retention_runs) = 0 THEN -9223372036854775807
            ELSE coalesce(min(epoch_us(timestamp)), epoch_us(now()))
        END AS since_us
    FROM operation_log
    WHERE status = 'success'
);

-- What operations are counted by: a command or a project or both, and the status.
CREATE TABLE rollup_keys (
    key INTEGER NOT NULL,
    command VARCHAR,
    project_id VARCHAR,
    status VARCHAR NOT NULL
);

-- The operations of a command and project that ended in an hour; those of a command or a project alone are counted by day.
-- The operations of a key that ended in a period. A period can have several rows: they add up.
CREATE TABLE rollup_pair_1h (
    hour INTEGER NOT NULL,              -- in which the period begins, from 1970
    key INTEGER NOT NULL,
    operations BIGINT NOT NULL,
    timed BIGINT NOT NULL,              -- those with a duration
    total_ms DOUBLE,
    max_ms DOUBLE,
    queued BIGINT NOT NULL,             -- those with a queue wait
    queue_wait_ms DOUBLE,
    max_queue_wait_ms DOUBLE,
    rows_affected HUGEINT,
    bytes_in HUGEINT,
    bytes_out HUGEINT,
    first_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ NOT NULL
);
-- Their durations. A bin has those from (101 / 99)^(bin - 1) ms to (101 / 99)^bin ms; -32768 has those of nothing.
CREATE TABLE rollup_pair_1h_durations (
    hour INTEGER NOT NULL,
    key INTEGER NOT NULL,
    bin SMALLINT NOT NULL,
    operations BIGINT NOT NULL
);
CREATE TABLE rollup_command_1d AS FROM rollup_pair_1h WITH NO DATA;
CREATE TABLE rollup_project_1d AS FROM rollup_pair_1h WITH NO DATA;
CREATE TABLE rollup_pair_1d AS FROM rollup_pair_1h WITH NO DATA;
CREATE TABLE rollup_command_8d AS FROM rollup_pair_1h WITH NO DATA;
CREATE TABLE rollup_project_8d AS FROM rollup_pair_1h WITH NO DATA;
CREATE TABLE rollup_pair_8d AS FROM rollup_pair_1h WITH NO DATA;
CREATE TABLE rollup_command_64d AS FROM rollup_pair_1h WITH NO DATA;
CREATE TABLE rollup_project_64d AS FROM rollup_pair_1h WITH NO DATA;
CREATE TABLE rollup_pair_64d AS FROM rollup_pair_1h WITH NO DATA;
CREATE TABLE rollup_command_1d_durations AS FROM rollup_pair_1h_durations WITH NO DATA;
CREATE TABLE rollup_project_1d_durations AS FROM rollup_pair_1h_durations WITH NO DATA;
CREATE TABLE rollup_pair_1d_durations AS FROM rollup_pair_1h_durations WITH NO DATA;
CREATE TABLE rollup_command_8d_durations AS FROM rollup_pair_1h_durations WITH NO DATA;
CREATE TABLE rollup_project_8d_durations AS FROM rollup_pair_1h_durations WITH NO DATA;
CREATE TABLE rollup_pair_8d_durations AS FROM rollup_pair_1h_durations WITH NO DATA;
CREATE TABLE rollup_command_64d_durations AS FROM rollup_pair_1h_durations WITH NO DATA;
CREATE TABLE rollup_project_64d_durations AS FROM rollup_pair_1h_durations WITH NO DATA;
CREATE TABLE rollup_pair_64d_durations AS FROM rollup_pair_1h_durations WITH NO DATA;

-- Failures by code, hour by hour; they are few.
CREATE TABLE rollup_errors (
    hour INTEGER NOT NULL,
    command VARCHAR NOT NULL,
    project_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    error_code VARCHAR,
    operations BIGINT NOT NULL,
    first_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ NOT NULL,
    last_seq UBIGINT NOT NULL,
    last_message VARCHAR                -- cut
);

UPDATE meta SET value = '7' WHERE key = 'schema_version';
