"""Samples of what earlier versions have left, and what is asked of them: of the version that made them, and of the one under test."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import duckdb

from .sessions import connect

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def samples(version: str) -> list[str]:
    """Their names, such as `killed-duckdb-2.0.0`."""
    with tarfile.open(FIXTURES / version / "samples.tar.xz") as archive:
        return sorted({name.split("/")[0] for name in archive.getnames()})


def unpack(version: str, sample: str, directory: Path) -> dict:
    """Puts a sample's files into a directory, and returns what is expected of it."""
    with tarfile.open(FIXTURES / version / "samples.tar.xz") as archive:
        for name in archive.getnames():
            if name.startswith(sample + "/"):
                (directory / name.split("/")[1]).write_bytes(archive.extractfile(name).read())
    expected = directory / "expected.json"
    answers = json.loads(expected.read_text())
    expected.unlink()
    settle(directory)
    return answers


def settle(directory: Path) -> None:
    """A log that has moved says by its whole path where it went, and that was elsewhere."""
    moved_to = directory.resolve() / "kept.oplog"
    if moved_to.exists():
        with duckdb.connect(str(directory / "app.duckdb.oplog")) as log:
            log.execute("UPDATE meta SET value = ? WHERE key = 'moved_to'", [str(moved_to)])


def connect_to(directory: Path | str) -> duckdb.DuckDBPyConnection:
    """A session on the log of a sample: that of a database, or one that the environment names."""
    directory = Path(directory)
    if (directory / "app.oplog").exists():
        os.environ["OPLOG_PATH"] = str(directory / "app.oplog")
        return connect()
    return connect(directory / "app.duckdb")


def answers(session: duckdb.DuckDBPyConnection) -> dict:
    """What a log tells of what it holds, in a form that JSON keeps."""

    def rows(query: str) -> list[dict]:
        cursor = session.execute(query)
        names = [name for name, *_ in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]

    return {
        "operations": rows("""
            SELECT id::VARCHAR AS id, epoch_us(timestamp) AS timestamp, metadata::VARCHAR AS metadata,
                * EXCLUDE (id, timestamp, metadata)
            FROM operation_log ORDER BY seq
        """),
        "settings": rows("SELECT name, value FROM oplog_settings() WHERE is_set ORDER BY name"),
        "rules": rows("SELECT * FROM oplog_alert_rules() ORDER BY name"),
        "totals": rows("""
            SELECT name, labels::VARCHAR AS labels, value FROM oplog_metrics()
            WHERE name IN ('duckdb_operations_total', 'jobs_total') OR name LIKE 'job\\_seconds%' ESCAPE '\\'
            ORDER BY ALL
        """),
        "retention": rows("SELECT setting, deleted_operations, last_deleted_operations FROM oplog_retention() ORDER BY setting"),
    }
