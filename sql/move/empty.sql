-- What a log gives up once another one has taken it over. Settings and rules stay, for the time that the other
-- file is not there; and the places that it has had, by which those are found to be right that still lead here.
DELETE FROM metric_families;
DELETE FROM metric_values;
DELETE FROM retention_runs;
DELETE FROM spools;
DELETE FROM history_1m;
DELETE FROM history_1h;
DELETE FROM archive_runs;
DELETE FROM archive_files;
