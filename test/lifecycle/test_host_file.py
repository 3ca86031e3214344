"""The user's database file holds nothing of oplog."""

from __future__ import annotations

import duckdb

from harness import connect, record


def objects(connection: duckdb.DuckDBPyConnection) -> dict[str, list]:
    """Everything that a catalog knows, but for the extensions that DuckDB may load by itself."""
    return {
        "tables": connection.execute("SHOW ALL TABLES").fetchall(),
        "schemas": connection.execute("SELECT database_name, schema_name FROM duckdb_schemas() ORDER BY ALL").fetchall(),
        "functions": connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_name SIMILAR TO '.*(oplog|prometheus|openmetrics).*'"
        ).fetchall(),
        "settings": connection.execute("SELECT name FROM duckdb_settings() WHERE name LIKE '%oplog%'").fetchall(),
        "databases": connection.execute("SELECT database_name FROM duckdb_databases() ORDER BY ALL").fetchall(),
        "types": connection.execute("SELECT type_name FROM duckdb_types() WHERE NOT internal ORDER BY ALL").fetchall(),
    }


def use(path, *, load: bool) -> None:
    connection = connect(path, load=load)
    connection.execute("CREATE TABLE t AS SELECT 1 AS i")
    if load:
        record(connection, "import", rows_affected=1)
        connection.execute("FROM oplog_stats()").fetchall()
    connection.close()


def test_session_without_oplog_sees_no_trace(tmp_path):
    seen = []
    for load in (False, True):
        path = tmp_path / str(load) / "app.duckdb"
        path.parent.mkdir()
        use(path, load=load)
        with connect(path, load=False) as plain:
            seen.append(objects(plain))
    without, with_oplog = seen
    assert with_oplog == without
    assert [table for _, _, table, *_ in with_oplog["tables"]] == ["t"]


def test_file_does_not_name_oplog(host):
    use(host, load=True)
    assert b"oplog" not in host.read_bytes()


def test_sidecar_is_a_database_that_any_duckdb_opens(host):
    use(host, load=True)
    with duckdb.connect(f"{host}.oplog", read_only=True) as sidecar:
        assert sidecar.execute("SELECT command, rows_affected FROM operation_log").fetchall() == [("import", 1)]
