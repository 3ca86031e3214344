-- Is the target met, how much of the error budget is left, and how fast does it burn?
-- Each operation is in a part of the period: that of the shortest window which it is in, 0 if it is in none.
WITH
-- Of the operations:
operation AS (
    SELECT
        {columns_listed}
        {bucket_of_operation} AS part,
        count(*) AS operations,
        count(*) FILTER (status <> 'success' OR duration_ms > $max_duration_ms::DOUBLE) AS bad
    FROM operation_log
    WHERE {filters}
    GROUP BY ALL
),
-- The answer:
counted AS (
    SELECT
        {columns_listed}
        coalesce(sum(operations), 0)::BIGINT AS operations,
        coalesce(sum(bad), 0)::BIGINT AS bad,
        1 - $target::DOUBLE AS allowed,
        [sum(bad) FILTER (part >= 1) / sum(operations) FILTER (part >= 1),
         sum(bad) FILTER (part >= 2) / sum(operations) FILTER (part >= 2),
         sum(bad) FILTER (part >= 3) / sum(operations) FILTER (part >= 3),
         sum(bad) FILTER (part >= 4) / sum(operations) FILTER (part >= 4),
         sum(bad) FILTER (part >= 5) / sum(operations) FILTER (part >= 5),
         sum(bad) FILTER (part >= 6) / sum(operations) FILTER (part >= 6)] AS bad_shares,
        CAST($windows_known::VARCHAR AS BOOLEAN[]) AS known
    FROM operation
    GROUP BY ALL
),
burning AS (
    SELECT
        *,
        1 - bad / (allowed * nullif(operations, 0)) AS budget_remaining,
        CASE WHEN known[1] THEN bad_shares[1] / allowed END AS burn_rate_3d,
        CASE WHEN known[2] THEN bad_shares[2] / allowed END AS burn_rate_1d,
        CASE WHEN known[3] THEN bad_shares[3] / allowed END AS burn_rate_6h,
        CASE WHEN known[4] THEN bad_shares[4] / allowed END AS burn_rate_1h,
        CASE WHEN known[5] THEN bad_shares[5] / allowed END AS burn_rate_30m,
        CASE WHEN known[6] THEN bad_shares[6] / allowed END AS burn_rate_5m
    FROM counted
),
-- Rates that are their thresholds but for what a DOUBLE rounds count as reaching them.
judged AS (
    SELECT
        *,
        CASE WHEN known[4] AND known[6] THEN coalesce(burn_rate_1h >= 14.4 - 1e-9 AND burn_rate_5m >= 14.4 - 1e-9, false) END AS burns_fast,
        CASE WHEN known[3] AND known[5] THEN coalesce(burn_rate_6h >= 6 - 1e-9 AND burn_rate_30m >= 6 - 1e-9, false) END AS burns_medium,
        CASE WHEN known[1] AND known[3] THEN coalesce(burn_rate_3d >= 1 - 1e-9 AND burn_rate_6h >= 1 - 1e-9, false) END AS burns_slowly,
        CASE
            WHEN budget_remaining <= 0 THEN $until_us::BIGINT
            ELSE $until_us::BIGINT + budget_remaining * $length_us::BIGINT / nullif(burn_rate_1h, 0)
        END AS exhausted_us
    FROM burning
)
SELECT
    {columns_listed}
    operations,
    bad,
    1 - bad / nullif(operations, 0) AS success_rate,
    $target::DOUBLE AS target,
    CASE WHEN operations > 0 THEN bad <= allowed * operations + 1e-9 END AS met,
    allowed * operations AS error_budget,
    budget_remaining,
    burn_rate_5m,
    burn_rate_30m,
    burn_rate_1h,
    burn_rate_6h,
    burn_rate_1d,
    burn_rate_3d,
    burns_fast,
    burns_medium,
    burns_slowly,
    -- Text with its offset is a time in every build.
    CASE
        WHEN exhausted_us < 253402300800000000
            THEN CAST(strftime(make_timestamp(exhausted_us::BIGINT), '%Y-%m-%d %H:%M:%S.%f') || '+00' AS TIMESTAMPTZ)
    END AS exhausted_at,
    $since_used::TIMESTAMPTZ AS since,
    $until_used::TIMESTAMPTZ AS until,
    $complete_since::TIMESTAMPTZ AS complete_since
FROM judged
ORDER BY budget_remaining NULLS LAST, operations DESC, {columns_listed} bad;
