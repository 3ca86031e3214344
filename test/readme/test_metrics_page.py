"""docs/metrics.md names every metric that there is, with its type and labels, and no other."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"\| `([a-z_]+)` \| (counter|gauge|histogram) \|([^|]*)\|")


def test_the_page_names_what_is_published(connect, host):
    connection = connect(host)
    connection.execute("CREATE TABLE t (i INTEGER)")
    connection.execute("SELECT oplog_record({command: 'import', status: 'error', duration_ms: 1})").fetchall()
    published = set()
    for name, kind, labels in connection.execute(
        """
        SELECT name, type, map_keys(labels) FROM oplog_metrics()
        UNION ALL
        SELECT name, type, map_keys(labels) FROM oplog.engine
        """
    ).fetchall():
        if kind == "histogram":
            name = re.sub("_(bucket|sum|count)$", "", name)
        published.add((name, kind, tuple(sorted(set(labels) - {"le"}))))
    written = {
        (name, kind, tuple(sorted(re.findall("`([a-z_]+)`", labels)))) for name, kind, labels in ROW.findall(PAGE.read_text())
    }
    assert written == published
