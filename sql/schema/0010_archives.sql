-- Schema version 10: the files into which operations were written before retention deleted them. See docs/retention.md, "The archive".

-- Where operations are archived, in one row; none where they are not.
CREATE TABLE archive (
    path VARCHAR NOT NULL,
    every_us BIGINT NOT NULL    -- they go in periods of this length
);

-- Runs that have not come to their end: nothing that they have written counts.
CREATE TABLE archive_runs (
    run VARCHAR NOT NULL,
    path VARCHAR NOT NULL
);

-- One row a file, noted in the transaction that deletes the operations which are in it.
CREATE TABLE archive_files (
    file VARCHAR NOT NULL,
    day DATE NOT NULL,          -- on which its operations ended, in UTC
    operations BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    first_seq UBIGINT NOT NULL,
    last_seq UBIGINT NOT NULL,
    first_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ NOT NULL,
    archived_at TIMESTAMPTZ NOT NULL
);

UPDATE meta SET value = '10' WHERE key = 'schema_version';
