"""Fixtures for all Python tests."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

import engines
import harness


# What runs in the background of a shell ignores these, and so would the processes that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def artifact() -> Path:
    """Without the artifact nothing here means anything."""
    if not harness.EXTENSION.is_file():
        pytest.exit(f"{harness.EXTENSION} is missing: run `make`", returncode=2)
    return harness.EXTENSION


@pytest.fixture(autouse=True)
def no_oplog_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable would send every log of every test to one file."""
    monkeypatch.delenv("OPLOG_PATH", raising=False)


@pytest.fixture
def connect():
    """harness.connect, which closes at the end what the test left open."""
    opened = []

    def open_session(*arguments, **options):
        opened.append(harness.connect(*arguments, **options))
        return opened[-1]

    yield open_session
    for connection in reversed(opened):
        connection.close()


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Where a test may keep its database file."""
    return tmp_path / "app.duckdb"


@pytest.fixture(scope="session")
def promtool() -> str:
    unpacked = engines.ENVIRONMENTS / "prometheus" / "usr" / "bin" / "promtool"
    return shutil.which("promtool") or str(unpacked)
