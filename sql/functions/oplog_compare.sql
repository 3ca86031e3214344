-- What has become slower or fails more than before? One row a group, the surest difference first. What oplog_compare_read.sql
-- reads is worked out in Rust (src/statistics), and comes back in lists.
SELECT
    {by_listed}
    decode(unhex(verdict[2:])) AS verdict,
    operations,
    operations_before,
    duration_ratio,
    duration_ratio_low,
    duration_ratio_high,
    duration_p_value,
    p50_ms,
    p50_before_ms,
    p95_ms,
    p95_before_ms,
    avg_ms,
    avg_before_ms,
    error_rate,
    error_rate_before,
    error_rate - error_rate_before AS error_rate_change,
    error_p_value,
    $compared_from::TIMESTAMPTZ AS since,
    $until_used::TIMESTAMPTZ AS until,
    $since_used::TIMESTAMPTZ AS baseline_since,
    $complete_since::TIMESTAMPTZ AS complete_since
FROM (
    SELECT
        {by_unnested}
        unnest(CAST($operations::VARCHAR AS BIGINT[])) AS operations,
        unnest(CAST($operations_before::VARCHAR AS BIGINT[])) AS operations_before,
        unnest(CAST($error_rates::VARCHAR AS DOUBLE[])) AS error_rate,
        unnest(CAST($error_rates_before::VARCHAR AS DOUBLE[])) AS error_rate_before,
        unnest(CAST($avgs_ms::VARCHAR AS DOUBLE[])) AS avg_ms,
        unnest(CAST($avgs_before_ms::VARCHAR AS DOUBLE[])) AS avg_before_ms,
        unnest(CAST($p50s_ms::VARCHAR AS DOUBLE[])) AS p50_ms,
        unnest(CAST($p50s_before_ms::VARCHAR AS DOUBLE[])) AS p50_before_ms,
        unnest(CAST($p95s_ms::VARCHAR AS DOUBLE[])) AS p95_ms,
        unnest(CAST($p95s_before_ms::VARCHAR AS DOUBLE[])) AS p95_before_ms,
        unnest(CAST($ratios::VARCHAR AS DOUBLE[])) AS duration_ratio,
        unnest(CAST($ratios_low::VARCHAR AS DOUBLE[])) AS duration_ratio_low,
        unnest(CAST($ratios_high::VARCHAR AS DOUBLE[])) AS duration_ratio_high,
        unnest(CAST($duration_ps::VARCHAR AS DOUBLE[])) AS duration_p_value,
        unnest(CAST($error_ps::VARCHAR AS DOUBLE[])) AS error_p_value,
        unnest(CAST($verdicts::VARCHAR AS VARCHAR[])) AS verdict
)
ORDER BY least(duration_p_value, error_p_value) NULLS LAST, operations DESC, {by_listed} verdict;
