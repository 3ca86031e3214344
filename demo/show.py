"""Prints answers as plain, aligned tables."""

from __future__ import annotations

from datetime import datetime

import duckdb

WIDTH_MAX = 72


def heading(text: str) -> None:
    print(f"\n== {text}")


def question(connection: duckdb.DuckDBPyConnection, title: str, sql: str) -> None:
    heading(title)
    print("\n".join(f"   {line}" for line in f"{sql};".splitlines()), end="\n\n")
    answer = connection.execute(sql)
    names = [column[0] for column in answer.description]
    rows = answer.fetchall()
    if len(rows) == 1 and len(names) > 6:
        # One wide row reads better as a list.
        rows = [(name, value) for name, value in zip(names, rows[0])]
        names = ["", ""]
    table(names, rows)


def table(names: list[str], rows: list[tuple]) -> None:
    if not rows:
        print("   no rows")
        return
    texts = [[text(value) for value in row] for row in rows]
    widths = [max(len(name), *(len(row[column]) for row in texts)) for column, name in enumerate(names)]
    # Numbers are compared, so they stand one below the other.
    right = [all(value is None or is_number(value) for value in column) for column in zip(*rows)]
    for line in ([names] if any(names) else []) + texts:
        cells = (cell.rjust(width) if number else cell.ljust(width) for cell, width, number in zip(line, widths, right))
        print(f"   {'  '.join(cells)}".rstrip())


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.strftime("%H:%M:%S.%f")[:-3]
    if isinstance(value, dict):
        parts = (f"{name} ({text(part)})" if isinstance(part, dict) else f"{name} {text(part)}" for name, part in value.items())
        return ", ".join(parts)
    if isinstance(value, list):
        return "; ".join(text(part) for part in value)
    whole = str(value)
    return whole if len(whole) <= WIDTH_MAX else whole[: WIDTH_MAX - 1] + "…"
