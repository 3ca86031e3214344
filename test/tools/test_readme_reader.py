"""How expected output in the README is compared."""

from __future__ import annotations

import pytest

from harness.readme import examples, is_error, table_matches, text_matches

BOX = """\
┌───────┬─────────┐
│   n   │  text   │
│ int64 │ varchar │
├───────┼─────────┤
│     1 │ a       │
│     2 │ NULL    │
├───────┴─────────┤
│ 2 rows          │
└─────────────────┘
"""
PIPES = """\
| n | text |
|---|---|
| 1 | a |
| … | NULL |
"""


@pytest.mark.parametrize("drawn", [BOX, PIPES])
def test_tables_are_compared_by_cell(drawn):
    assert table_matches(drawn, ["n", "text"], [["1", "a"], ["2", "NULL"]])
    assert not table_matches(drawn, ["n", "word"], [["1", "a"], ["2", "NULL"]])
    assert not table_matches(drawn, ["n", "text"], [["1", "b"], ["2", "NULL"]])
    assert not table_matches(drawn, ["n", "text"], [["1", "a"]])
    assert not table_matches(drawn, ["n", "text"], [["1", "a"], ["2", "NULL"], ["3", "c"]])


def test_ellipsis_stands_for_text_and_for_lines():
    expected = "# HELP a ...\n…\na{b=\"c\"} 1\n"
    assert text_matches(expected, '# HELP a any\nx 1\ny 2\na{b="c"} 1\n')
    assert text_matches(expected, '# HELP a any\na{b="c"} 1')
    assert not text_matches(expected, '# HELP b any\na{b="c"} 1\n')
    assert not text_matches(expected, '# HELP a any\na{b="c"} 2\n')
    assert not text_matches(expected, '# HELP a any\na{b="c"} 1\nz 3\n')


def test_output_belongs_to_the_block_right_before_it(tmp_path):
    markdown = tmp_path / "README.md"
    markdown.write_text("```sql\nSELECT 1;\n```\n\n```text\n1\n```\n\n```sql\nSELECT 2;\n```\nProse.\n```text\n2\n```\n```bash\nls\n```\n")
    assert [(example.line, example.sql, example.expected) for example in examples(markdown)] == [
        (1, "SELECT 1;\n", "1\n"),
        (9, "SELECT 2;\n", None),
    ]


def test_errors_are_told_from_values():
    assert is_error("Invalid Input Error: unknown field\n")
    assert not is_error("No error: fine\n")
    assert not is_error(None)
