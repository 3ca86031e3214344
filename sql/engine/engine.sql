-- What only a session knows of its DuckDB instance, as samples: one row a value.
SELECT name, type, help, labels, value
FROM (
    SELECT
        'duckdb_memory_bytes' AS name,
        'gauge' AS type,
        'Memory in use, by what uses it.' AS help,
        MAP {'tag': tag} AS labels,
        memory_usage_bytes::DOUBLE AS value
    FROM duckdb_memory()
    UNION ALL
    SELECT
        'duckdb_temporary_storage_bytes',
        'gauge',
        'Temporary storage on disk, by what uses it.',
        MAP {'tag': tag},
        temporary_storage_bytes::DOUBLE
    FROM duckdb_memory()
    UNION ALL
    SELECT
        'duckdb_memory_limit_bytes',
        'gauge',
        'Memory that the instance may use: the setting memory_limit, as exactly as DuckDB shows it.',
        MAP {},
        limits.bytes
    FROM (
        {memory_limit}
    ) AS limits
    UNION ALL
    SELECT
        'duckdb_threads',
        'gauge',
        'Threads that queries may use: the setting threads.',
        MAP {},
        current_setting('threads')::DOUBLE
    UNION ALL
    SELECT
        'duckdb_connections',
        'gauge',
        'Connections to the instance.',
        MAP {},
        count::DOUBLE
    FROM duckdb_connection_count()
    UNION ALL
    SELECT
        'duckdb_database_used_bytes',
        'gauge',
        'What the blocks take that a database uses of its file.',
        MAP {'database': database_name},
        (used_blocks * block_size)::DOUBLE
    FROM pragma_database_size()
    UNION ALL
    SELECT
        'duckdb_database_free_bytes',
        'gauge',
        'What the blocks take that a database has free in its file: it fills them before the file grows.',
        MAP {'database': database_name},
        (free_blocks * block_size)::DOUBLE
    FROM pragma_database_size()
    UNION ALL
    SELECT
        'duckdb_table_estimated_rows',
        'gauge',
        'Rows of a table, as the catalog estimates them.',
        MAP {'database': database_name, 'schema': schema_name, 'table': table_name},
        estimated_size::DOUBLE
    FROM duckdb_tables()
    WHERE NOT internal AND NOT temporary
    UNION ALL
    SELECT
        'duckdb_table_indexes',
        'gauge',
        'Indexes of a table, those of its keys included.',
        MAP {'database': database_name, 'schema': schema_name, 'table': table_name},
        index_count::DOUBLE
    FROM duckdb_tables()
    WHERE NOT internal AND NOT temporary
) AS sample
