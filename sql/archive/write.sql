-- Writes the operations of a day that go.
COPY (
    SELECT operation.*
    {rows} AND operation.timestamp BETWEEN CAST('{first}' AS TIMESTAMPTZ) AND CAST('{last}' AS TIMESTAMPTZ)
) TO {file} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group_rows}, USE_TMP_FILE false);
