"""The public surface is pinned: every function, setting and column that LOAD adds stands in surface.txt.

A change of the surface is a change of surface.txt, seen in review. `make surface` writes it anew.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import duckdb

from harness import EXTENSION
from harness.surface import added_by_load, columns

PINNED = Path(__file__).with_name("surface.txt")

# Names that no catalog lists, as they are answered by a replacement scan.
RELATIONS = ["operation_log", "oplog.operation_log"]


def current_surface() -> str:
    with duckdb.connect(config={"allow_unsigned_extensions": True}) as connection:
        lines = added_by_load(connection, f"LOAD '{EXTENSION}'")
        for relation in RELATIONS:
            lines += [f"relation {relation}", *columns(connection, relation)]
    return "\n".join(lines) + "\n"


def test_load_adds_exactly_the_pinned_surface(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    current = current_surface()
    if os.environ.get("OPLOG_REWRITE_SURFACE"):
        PINNED.write_text(current)
    pinned = PINNED.read_text()
    difference = difflib.unified_diff(pinned.splitlines(), current.splitlines(), "surface.txt", f"DuckDB {duckdb.__version__}", lineterm="")
    assert current == pinned, "the surface changed; if it was meant to, run `make surface`\n" + "\n".join(difference)
