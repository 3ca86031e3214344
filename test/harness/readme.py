"""The examples of the README: fenced blocks, and what comes out of running them.

A ```sql block is run. A ```text block right after it is what it shows, either a table as DuckDB's clients draw it
(of which only the cells count), or the text of a single value, or an error. An ellipsis (… or ...) stands for any text
in its place, as ids and times are never the same; a line of its own stands for any number of lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^```\s*$", re.MULTILINE | re.DOTALL)
ERROR = re.compile(r"^[A-Z]\w*( \w+)* Error: ")


@dataclass(frozen=True)
class Example:
    line: int
    sql: str
    expected: str | None


def examples(markdown: Path) -> list[Example]:
    text = markdown.read_text()
    fences = list(FENCE.finditer(text))
    found = []
    for fence, following in zip(fences, fences[1:] + [None]):
        if fence["language"] != "sql":
            continue
        adjacent = following and following["language"] == "text" and not text[fence.end() : following.start()].strip()
        line = text.count("\n", 0, fence.start()) + 1
        found.append(Example(line, fence["body"], following["body"] if adjacent else None))
    return found


def is_error(expected: str | None) -> bool:
    return bool(expected and ERROR.match(expected))


def is_table(expected: str) -> bool:
    return expected.lstrip().startswith(("┌", "╭", "|", "│"))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"[│|]", line.strip().strip("│|"))]


def read_table(drawn: str) -> tuple[list[str], list[list[str]]]:
    """The names and the rows of a drawn table, without its lines, its types and the remarks below it."""
    head, _line, body = re.split(r"^(\s*[├|][-─┼|: ┤]+)$", drawn, maxsplit=1, flags=re.MULTILINE)
    is_row = re.compile(r"^\s*[│|]")
    names = [cells(line) for line in head.splitlines() if is_row.match(line)]
    rows = body.split("├")[0].splitlines()
    return names[0], [cells(line) for line in rows if is_row.match(line)]


def matches(expected: str, actual: str) -> bool:
    pattern = re.escape(expected).replace(r"\.\.\.", "…").replace("…", ".*")
    return re.fullmatch(pattern, actual, re.DOTALL) is not None


def table_matches(expected: str, names: list[str], rows: list[list[str]]) -> bool:
    expected_names, expected_rows = read_table(expected)
    return (
        expected_names == names
        and len(expected_rows) == len(rows)
        and all(len(wanted) == len(row) and all(map(matches, wanted, row)) for wanted, row in zip(expected_rows, rows))
    )


def text_matches(expected: str, actual: str) -> bool:
    """Line by line, where a line of nothing but an ellipsis stands for any number of lines."""
    pattern = ""
    for line in expected.rstrip("\n").splitlines():
        if line.strip() in ("…", "..."):
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += re.escape(line.rstrip()).replace(r"\.\.\.", "…").replace("…", r"[^\n]*") + "\n"
    return re.fullmatch(pattern, actual.rstrip("\n") + "\n") is not None
