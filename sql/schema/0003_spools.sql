-- Schema version 3: spools of other processes, and how far they have been taken in.

CREATE TABLE spools (
    name VARCHAR NOT NULL,      -- the spool's file name, without .journal
    next_seq UBIGINT NOT NULL   -- the spool's own seq behind the last operation that the log has
);

UPDATE meta SET value = '3' WHERE key = 'schema_version';
