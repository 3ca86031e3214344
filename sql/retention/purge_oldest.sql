-- Deletes the oldest records, about as many as the log is too large by. They stand in the order of seq, and what is
-- left of them has gaps, so the border is looked up, not computed.
DELETE FROM operation_log
WHERE seq <= (
    SELECT max(seq)
    FROM (SELECT seq FROM operation_log ORDER BY seq LIMIT $excess)
);
