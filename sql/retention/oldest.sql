-- Up to which seq do the oldest records go, where about so many have to? They stand in the order of seq, and what is left of
-- them has gaps, so the border is looked up, not computed.
SELECT coalesce(max(seq), 0)::BIGINT
FROM (SELECT seq FROM operation_log ORDER BY seq LIMIT {excess});
