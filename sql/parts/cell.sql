-- Where buckets differ in length, time is cut into cells that are as long as the shortest of them, so that a bucket begins in a
-- cell at most once. These are the cells that begin within each bucket; the one after it may begin within the last of them.
cell AS (
    SELECT
        unnest(range(
            (start_us - $from_us::BIGINT + $gap_us::BIGINT - 1) // $gap_us::BIGINT,
            (end_us - $from_us::BIGINT + $gap_us::BIGINT - 1) // $gap_us::BIGINT
        )) AS number,
        start_us,
        end_us
    FROM bucket
)
