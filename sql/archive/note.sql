-- Notes a file of the archive.
INSERT INTO archive_files
SELECT
    $file,
    CAST(make_timestamp($first_us::BIGINT) AS DATE),
    $operations::BIGINT,
    $bytes::BIGINT,
    $first_seq::UBIGINT,
    $last_seq::UBIGINT,
    $first::TIMESTAMPTZ,
    $last::TIMESTAMPTZ,
    $now::TIMESTAMPTZ;
