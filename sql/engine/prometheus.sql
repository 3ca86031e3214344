-- Everything in one text: what the registry has, and what the session that asks knows.
SELECT prometheus_text(samples) AS text
FROM (
    SELECT list(sample) AS samples
    FROM (
        {engine}
    ) AS sample
) AS listed
