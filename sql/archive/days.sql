-- On which days, in UTC, did the operations end that go, and how much is that?
SELECT
    epoch_us(timestamp) // 86400000000 AS day,
    count(*) AS operations,
    min(seq) AS first_seq,
    max(seq) AS last_seq,
    min(epoch_us(timestamp)) AS first_us,
    max(epoch_us(timestamp)) AS last_us,
    sum({row_bytes})::BIGINT AS bytes
FROM (
    SELECT operation.*
    {rows}
)
GROUP BY day
ORDER BY day;
