-- How many operations have a {column} that another one has already? Of those in one part of {parts}, so that all fit into memory.
SELECT count({column}) - count(DISTINCT {column})
FROM operation_log
WHERE hash({column}) % {parts} = {part};
