-- Which is the newest record that has to go, so that the texts of those behind it take no more than so much? Rows of any
-- size are told apart: by their number alone, a few large ones would count as little as small ones.
SELECT coalesce(max(seq), 0)::BIGINT
FROM (
    SELECT seq, sum({row_bytes}) OVER (ORDER BY seq DESC) AS bytes
    FROM operation_log
)
WHERE bytes > $bytes;
