-- How many rows of {table} are about a key that there is not?
SELECT count(*) FROM {table} ANTI JOIN rollup_keys USING (key);
