-- What a log takes over from another one besides its operations, in the transaction that takes the last of these.
-- {old} is the other log; the log that takes over is the default database.

-- What is in force stays in force.
DELETE FROM settings WHERE name IN (SELECT name FROM {old}.settings);
INSERT INTO settings SELECT name, value FROM {old}.settings;

-- A rule that was dropped does not come back from a file that has it.
DELETE FROM alert_rules;
INSERT INTO alert_rules SELECT * FROM {old}.alert_rules;

-- Operations of both logs are kept as long as they were to be: the rules of both hold. Of two with one name that of the log
-- which moves does, as it is in force.
DELETE FROM retention_rules WHERE name IN (SELECT name FROM {old}.retention_rules);
INSERT INTO retention_rules SELECT * FROM {old}.retention_rules;

-- Read back, the totals of both logs add up.
INSERT INTO metric_families SELECT * FROM {old}.metric_families AS theirs
WHERE theirs.name NOT IN (SELECT name FROM metric_families);
INSERT INTO metric_values SELECT * FROM {old}.metric_values;

-- What metrics were, of both logs: no process has written to both at a time.
INSERT INTO history_1m SELECT * FROM {old}.history_1m;
INSERT INTO history_1h SELECT * FROM {old}.history_1h;
INSERT INTO history_metrics SELECT * FROM {old}.history_metrics AS theirs
WHERE theirs.name NOT IN (SELECT name FROM history_metrics);

INSERT INTO retention_runs SELECT * FROM {old}.retention_runs;

-- Where operations go is in force like a setting; the files of both logs are known.
DELETE FROM archive;
INSERT INTO archive SELECT * FROM {old}.archive;
INSERT INTO archive_runs SELECT * FROM {old}.archive_runs;
INSERT INTO archive_files SELECT * FROM {old}.archive_files AS theirs
WHERE theirs.file NOT IN (SELECT file FROM archive_files);

-- Names of spools are unique, wherever they stand.
INSERT INTO spools SELECT * FROM {old}.spools AS theirs
WHERE theirs.name NOT IN (SELECT name FROM spools);

-- The places that the log has had.
INSERT INTO meta SELECT key, value FROM {old}.meta AS theirs
WHERE starts_with(theirs.key, 'moved_from:') AND theirs.key NOT IN (SELECT key FROM meta);
