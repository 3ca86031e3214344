-- How many rows of {table} have a {column} that another one has already?
SELECT count({column}) - count(DISTINCT {column}) FROM {table};
