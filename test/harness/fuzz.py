"""Random and hostile operations, and what the log must make of them.

A `Case` is a table of values of random types and a statement that records its rows. What must become of each row is worked out
with the engine's own casts (to VARCHAR, DOUBLE, TIMESTAMPTZ, and `to_json`), never with oplog: either the row is refused, or the
log has it with these values. `run` holds a session against that, and `shrunk` looks for the smallest statement that fails still.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import random
import re
import struct
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow

TEXTS = [
    "command", "project_id", "branch_id", "bucket_name", "table_name", "error_code", "error_message", "request_id",
    "connection_job_id", "connection_run_id", "trace_id", "span_id", "parent_span_id",
]  # fmt: skip
KINDS = {
    **dict.fromkeys(TEXTS, "text"),
    "status": "status",
    **dict.fromkeys(["duration_ms", "queue_wait_ms"], "milliseconds"),
    **dict.fromkeys(["rows_affected", "bytes_in", "bytes_out"], "count"),
    "timestamp": "time",
    "metadata": "json",
}
DEFAULTS = {"project_id": "default", "branch_id": "default", "status": "success"}
STATUSES = ["success", "error", "timeout", "cancelled"]

# How a row is read back, to be compared; `timestamp` as microseconds.
READ = ", ".join(f"epoch_us({name})" if name == "timestamp" else name for name in KINDS)

TEXT_BYTES_MAX = 64 * 1024
DAY_US = 86_400_000_000
FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999

INTEGERS = {
    "TINYINT": (-(1 << 7), (1 << 7) - 1), "SMALLINT": (-(1 << 15), (1 << 15) - 1), "INTEGER": (-(1 << 31), (1 << 31) - 1),
    "BIGINT": (-(1 << 63), (1 << 63) - 1), "HUGEINT": (-(1 << 127), (1 << 127) - 1), "UTINYINT": (0, (1 << 8) - 1),
    "USMALLINT": (0, (1 << 16) - 1), "UINTEGER": (0, (1 << 32) - 1), "UBIGINT": (0, (1 << 64) - 1), "UHUGEINT": (0, (1 << 128) - 1),
}  # fmt: skip
TIMES = ["TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMPTZ", "TIMESTAMPTZ_NS", "DATE"]
OTHERS = [
    "BOOLEAN", "FLOAT", "DOUBLE", "DECIMAL", "VARCHAR", "JSON", "BLOB", "BIT", "UUID", "ENUM", "TIME", "TIMETZ", "TIME_NS", "INTERVAL",
]  # fmt: skip


def engine_has(name: str) -> bool:
    """Whether this engine has the type."""
    try:
        duckdb.connect().execute(f"SELECT NULL::{name}")
    except duckdb.CatalogException:
        return False
    return True


SCALARS = [name for name in [*INTEGERS, *TIMES, *OTHERS] if name in ("DECIMAL", "ENUM") or engine_has(name)]
NESTED = ["LIST", "ARRAY", "STRUCT", "MAP", "UNION"]
# DuckDB gives no extension the text of these.
UNREADABLE = [name for name in ["VARIANT", "BIGNUM", "GEOMETRY"] if engine_has(name)]

WORDS = [
    "", " ", "\t\n", "import", "success", "error", "timeout", "cancelled", "interrupted", "null", "NaN", "true", "0", "-1", "42", "1.5", " 7 ",
    "1e3", "1e400", "9223372036854775807", "9223372036854775808", "größe", "€uro", "日本語 テキスト", "👩‍👩‍👧‍👦", "e\u0301", "\u202eabc", "\ufeff",
    "a\0b", "\0", "'", "''", '"', "\\", "\\u0000", "--", ";", "$1", "%s", "{}", "[]", '{"a": 1}', "[1, 2,]", "{'a': 1}", '"\\ud800"', "nan",
    "2026-01-31T12:00:00Z", "2026-03-29 02:30:00", "2026-10-25 02:30:00", "0001-01-01", "9999-12-31 23:59:59.999999", "10000-01-01",
    "infinity", "-infinity", "epoch", "1969-12-31 23:59:59.999999", "twelve bytes", "thirteen byte", "more than twelve bytes, and not ASCII: ü",
]  # fmt: skip


@dataclass(frozen=True)
class Type:
    name: str
    # Of a nested type: the names and types of its parts; of an ENUM: its values.
    parts: tuple = ()
    size: int = 0

    @property
    def sql(self) -> str:
        named = ", ".join(f"{quoted(name)} {part.sql}" for name, part in self.parts) if self.name in ("STRUCT", "UNION") else ""
        match self.name:
            case "DECIMAL":
                return f"DECIMAL({self.size // 100}, {self.size % 100})"
            case "ENUM":
                return f"ENUM ({', '.join(text_sql(value) for value in self.parts)})"
            case "LIST":
                return f"{self.parts[0][1].sql}[]"
            case "ARRAY":
                return f"{self.parts[0][1].sql}[{self.size}]"
            case "MAP":
                return f"MAP({self.parts[0][1].sql}, {self.parts[1][1].sql})"
            case "STRUCT" | "UNION":
                return f"{self.name}({named})"
        return self.name

    @property
    def unreadable(self) -> bool:
        if self.name in UNREADABLE:
            return True
        return self.name in NESTED and any(part.unreadable for _, part in self.parts)

    @property
    def nested(self) -> bool:
        return self.name in NESTED

    def holds(self, name: str) -> bool:
        return self.name == name or (self.nested and any(part.holds(name) for _, part in self.parts))


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text_sql(text: str) -> str:
    """A literal; a NUL would end the statement."""
    parts = ["'" + part.replace("'", "''") + "'" for part in text.split("\0")]
    return parts[0] if len(parts) == 1 else "(" + " || chr(0) || ".join(parts) + ")"


class Dice(random.Random):
    def often(self, share: float) -> bool:
        return self.random() < share

    def text(self) -> str:
        kind = self.random()
        if kind < 0.6:
            return self.choice(WORDS)
        if kind < 0.8:
            ranges = [(0, 0x7F), (0x80, 0x2FF), (0x1F300, 0x1F5FF)]
            return "".join(chr(self.randint(*self.choice(ranges))) for _ in range(self.randint(1, 30)))
        return self.choice(WORDS) + self.choice(WORDS)

    def json_text(self, depth: int = 3) -> str:
        """A document, written in one of the many ways that there are."""

        def value(depth: int) -> Any:
            kind = self.randint(0, 7 if depth else 5)
            if kind == 6:
                return [value(depth - 1) for _ in range(self.randint(0, 4))]
            if kind == 7:
                return {self.text(): value(depth - 1) for _ in range(self.randint(0, 4))}
            return [None, True, self.randint(-(1 << 70), 1 << 70), self.uniform(-1e9, 1e9), self.text(), 1.5e300][kind]

        separators = self.choice([(",", ":"), (", ", ": "), (" ,\n", "\t:  ")])
        return json.dumps(value(depth), ensure_ascii=self.often(0.5), separators=separators)

    def type(self, nested: float = 0.3, depth: int = 3) -> Type:
        if depth and self.often(nested):
            name = self.choice(NESTED)
            part = lambda: self.type(nested, depth - 1)  # noqa: E731
            match name:
                case "LIST":
                    return Type(name, (("", part()),))
                case "ARRAY":
                    return Type(name, (("", part()),), self.randint(1, 4))
                case "MAP":
                    return Type(name, (("", Type(self.choice(["VARCHAR", "INTEGER", "DATE", "UUID"]))), ("", part())))
            names = self.sample(["a", "b c", 'd"e', "größe", "f'g", "key", "select", "x.y", "z\n"], self.randint(1, 4))
            return Type(name, tuple((each, part()) for each in names))
        name = self.choice(UNREADABLE) if self.often(0.02) else self.choice(SCALARS)
        if name == "DECIMAL":
            width = self.choice([1, 4, 5, 9, 10, 18, 19, 38])
            return Type(name, size=100 * width + self.randint(0, min(width, 20)))
        if name == "ENUM":
            values = (self.choice([*STATUSES, "42", self.text().replace("\0", "")]) for _ in range(self.randint(1, 6)))
            return Type(name, tuple(dict.fromkeys(values)))
        return Type(name)

    def literal(self, of: Type) -> str:
        """An expression of that type. What the engine cannot cast is NULL."""
        if self.often(0.08):
            return f"NULL::{of.sql}"
        inner = [part for _, part in of.parts] if of.nested else []
        match of.name:
            case "LIST":
                return f"[{', '.join(self.literal(inner[0]) for _ in range(self.randint(0, 4)))}]::{of.sql}"
            case "ARRAY":
                return f"[{', '.join(self.literal(inner[0]) for _ in range(of.size))}]::{of.sql}"
            case "MAP":
                keys = list(dict.fromkeys(self.scalar(inner[0]) for _ in range(self.randint(0, 3))))
                return f"MAP {{{', '.join(f'{key}: {self.literal(inner[1])}' for key in keys)}}}::{of.sql}"
            case "STRUCT":
                return f"{{{', '.join(f'{text_sql(name)}: {self.literal(part)}' for name, part in of.parts)}}}::{of.sql}"
            case "UNION":
                name, part = self.choice(of.parts)
                return f"union_value({quoted(name)} := {self.literal(part)})::{of.sql}"
        return self.scalar(of)

    def scalar(self, of: Type) -> str:
        name = of.name
        if name in INTEGERS:
            low, high = INTEGERS[name]
            return f"'{self.choice([low, high, low + 1, high - 1, 0, 1, 42 if high > 42 else 1, self.randint(low, high)])}'::{name}"
        if name in ("FLOAT", "DOUBLE"):
            numbers = ["nan", "inf", "-inf", "-0.0", "0", "1", "-1", "0.1", "1e15", "9007199254740993", "5e-324", "1e12", "3.4e38"]
            return f"TRY_CAST('{self.choice([*numbers, repr(self.uniform(0, 1e6)), str(self.randint(0, 1 << 54))])}' AS {name})"
        if name == "DECIMAL":
            width, scale = divmod(of.size, 100)
            unscaled = self.choice([0, 1, -1, 10**width - 1, 1 - 10**width, self.randrange(10**width), 10 ** min(scale, width - 1)])
            digits = str(abs(unscaled)).zfill(scale + 1)
            return f"'{'-' * (unscaled < 0)}{digits[: len(digits) - scale]}.{digits[len(digits) - scale :]}'::{of.sql}"
        match name:
            case "BOOLEAN":
                return self.choice(["true", "false"])
            case "JSON":
                return f"TRY_CAST({text_sql(self.json_text())} AS JSON)"
            case "BLOB":
                return f"unhex('{self.randbytes(self.choice([0, 1, 12, 13, 40])).hex()}')"
            case "BIT":
                return f"'{''.join(self.choice('01') for _ in range(self.randint(1, 80)))}'::BIT"
            case "UUID":
                return f"'{self.choice([0, (1 << 128) - 1, 1 << 127, self.getrandbits(128)]):032x}'::UUID"
            case "ENUM":
                return f"{text_sql(self.choice(of.parts))}::{of.sql}"
            case "INTERVAL":
                return self.interval()
            case "TIME" | "TIMETZ" | "TIME_NS":
                some = f"{self.randint(0, 23)}:{self.randint(0, 59)}:07"
                time = self.choice(["00:00:00", "23:59:59.999999", "24:00:00", "12:34:56.789012345", some])
                return f"TRY_CAST('{time}{self.choice(['', '+15:59', '-15:59', '+05:45']) if name == 'TIMETZ' else ''}' AS {name})"
            case "VARIANT":
                return f"{self.randint(0, 9)}::VARIANT"
            case "BIGNUM":
                return f"'{self.randint(0, 1 << 200)}'::BIGNUM"
            case "GEOMETRY":
                return "'POINT (1 2)'::GEOMETRY"
        if name in TIMES:
            # What only these can be the engine itself can cast to nothing else.
            far = ["290309-12-22 (BC) 00:00:00", "294247-01-10 04:00:54.775806", "5877642-06-25 (BC)"]
            times = [*(far if name in ("TIMESTAMP", "DATE") else []), "infinity", "-infinity", "epoch", "1677-09-21 00:12:43.145225",
                     "2262-04-11 23:47:16.854775", "0001-01-01 00:00:00", "0000-12-31 23:59:59.999999",
                     "9999-12-31 23:59:59.999999", "10000-01-01 00:00:00", "1969-12-31 23:59:59.9999995", "2026-03-29 02:30:00",
                     "2026-10-25 02:30:00", "1900-01-01 00:00:00"]  # fmt: skip
            day = f"{self.randint(1970, 2200)}-{self.randint(1, 12):02}-{self.randint(1, 28):02}"
            some = f"{day} {self.randint(0, 23):02}:{self.randint(0, 59):02}:59.{self.randint(0, 999_999_999):09}"
            return f"TRY_CAST('{self.choice([*times, some, some, some])}' AS {name})"
        return text_sql(self.json_text() if self.often(0.2) else self.text())

    def interval(self) -> str:
        months = self.choice([0, 0, 0, 1, -1, 12, self.randint(-400, 400), (1 << 31) - 1])
        days = self.choice([0, 0, 1, -1, self.randint(-400, 400), (1 << 31) - 1])
        micros = self.choice([0, 1, -1, 1_500_000, self.randint(0, 10**12), (1 << 63) - 1, -(1 << 63) + 1])
        return f"(to_months({months}) + to_days({days}) + to_microseconds({micros}))"


# What may become of a row beside being recorded with known values: a list of (how, what) in the order of KINDS.
REFUSED = "refused"
# Where the documents leave it open whether a value is taken.
EITHER = "either"


def digest(value: Any) -> Any:
    """Long texts are kept as their checksums."""
    return ("sha256", len(value), hashlib.sha256(value.encode()).hexdigest()) if isinstance(value, str) and len(value) > 500 else value


def cut(text: str) -> str:
    """A text as a field has it."""
    raw = text.encode()
    if len(raw) <= TEXT_BYTES_MAX:
        return text
    mark = f"… [cut, {len(raw)} bytes in all]"
    return raw[: TEXT_BYTES_MAX - len(mark.encode())].decode(errors="ignore") + mark


def parsed(text: str, single: bool = False) -> Any:
    """JSON to compare: pairs in their order, numbers exactly where they are whole, NaN and infinities as null.

    With `single`, numbers are those that a FLOAT can be: the shortest text of one is another double than it is itself.
    """

    def number(digits: str) -> Any:
        value = float(digits)
        if abs(value) == float("inf"):
            return ("huge", digits)
        return struct.unpack("f", struct.pack("f", value))[0] if single and abs(value) < 3.40282e38 else value

    return json.loads(text, object_pairs_hook=lambda pairs: ("object", pairs), parse_constant=lambda _: None, parse_float=number)


def same(expected: tuple[str, Any], actual: Any) -> bool:
    how, what = expected
    if how == "any":
        return actual is not None
    if how == "is":
        return digest(actual) == what and type(digest(actual)) is type(what)
    if actual is None:
        return False
    if how == "exactly":
        return Decimal(actual) == Decimal(what)
    if how == "number":
        # The text of a FLOAT is shorter than the number that it is.
        return actual == what or ("e" in what or "." in what) and math.isclose(float(actual), float(what), rel_tol=1e-6)
    if how in ("json", "json of FLOAT"):
        return sized(parsed(actual, how != "json")) == what
    if how == "cut":
        document = json.loads(actual)
        return set(document) == {"oplog_cut", "bytes", "beginning"} and document["oplog_cut"] is True and what in (None, document["bytes"])
    if how == "near":
        return abs(actual - what) <= 1
    raise AssertionError(how)


def sized(value: Any) -> Any:
    written = repr(value)
    return value if len(written) < 500 else ("sha256", hashlib.sha256(written.encode()).hexdigest())


def differences(expected: list[tuple[str, Any]], actual: tuple) -> list[str]:
    return [name for name, wanted, found in zip(KINDS, expected, actual) if not same(wanted, found)]


def as_json(text: str) -> tuple[str, Any]:
    size = len(text.encode())
    return ("cut", size) if size > TEXT_BYTES_MAX else ("is", digest(text))


@dataclass(frozen=True)
class Case:
    """Rows of columns. `values[row][column]` is an expression, or bytes for a column that Arrow brings."""

    types: dict[str, Type]
    values: list[list[Any]]
    # Each row is recorded so many times, in one statement.
    copies: int = 1
    strict: bool = True
    zone: str = "UTC"
    # fields, struct (a column of operations, some of them NULL), constant, json, positional, arrow
    form: str = "fields"
    arrow: str = "utf8"
    null_rows: frozenset = field(default_factory=frozenset)
    # What must become of each row of a column of JSON, known when it was written.
    known: tuple = ()

    @property
    def table(self) -> str:
        return "arrived" if self.form == "arrow" else "given" if self.copies == 1 else "copied"

    def columns(self) -> list[str]:
        return list(self.types)

    def prepare(self, session: duckdb.DuckDBPyConnection) -> None:
        """Lays the values out in a temporary table `given`, or as they are in `arrived`."""
        session.execute(f"SET TimeZone = '{self.zone}'")
        names = [quoted(name) for name in self.columns()]
        if self.form == "arrow":
            arrays = {name: unchecked([row[at] for row in self.values], self.arrow) for at, name in enumerate(self.columns())}
            session.register("arrived", pyarrow.table({"i": list(range(len(self.values))), **arrays}))
            return
        rows = ", ".join(f"({', '.join([str(i), *row])})" for i, row in enumerate(self.values))
        session.execute(f"CREATE OR REPLACE TEMP TABLE given AS SELECT * FROM (VALUES {rows}) AS t(i, {', '.join(names)})")
        # Laid out before they are recorded, so that they come in full chunks.
        session.execute(f"CREATE OR REPLACE TEMP TABLE copied AS SELECT given.* FROM given, range({self.copies if self.copies > 1 else 0})")

    def operation(self) -> str:
        if self.form == "json":
            return quoted("whole")
        fields = ", ".join(f"{name}: {quoted(name)}" for name in self.columns())
        if self.form == "positional":
            return ", ".join(quoted(name) for name in self.columns())
        if self.form == "struct":
            nulls = ", ".join(map(str, sorted(self.null_rows))) or "-1"
            return f"CASE WHEN i IN ({nulls}) THEN NULL ELSE {{{fields}}} END"
        return f"{{{fields}}}"

    def statement(self, rows: list[int]) -> str:
        """Gives (row, id) of each."""
        if self.form == "constant":
            fields = ", ".join(f"{name}: {value}" for name, value in zip(self.columns(), self.values[rows[0]]))
            return f"SELECT {rows[0]}, oplog_record({{{fields}}})::VARCHAR"
        chosen = f"{self.table} WHERE i IN ({', '.join(map(str, rows))})" if len(rows) < len(self.values) else self.table
        return f"SELECT i, oplog_record({self.operation()})::VARCHAR FROM {chosen}"

    def text(self) -> str:
        """What to type in to see it again."""
        rows = list(range(len(self.values)))
        settings = f"SET oplog_strict = {str(self.strict).lower()}; SET TimeZone = '{self.zone}'; "
        if self.form == "arrow":
            return f"{settings}arrived is an Arrow table of {self.arrow} {dict(zip(self.columns(), zip(*self.values)))}; {self.statement(rows)}"
        if self.form == "constant":
            return settings + self.statement(rows)
        names = ", ".join(quoted(name) for name in self.columns())
        listed = ", ".join(f"({', '.join([str(i), *row])})" for i, row in enumerate(self.values))
        table = f"CREATE TEMP TABLE given AS SELECT * FROM (VALUES {listed}) AS t(i, {names}); "
        copied = f"CREATE TEMP TABLE copied AS SELECT given.* FROM given, range({self.copies}); " if self.copies > 1 else ""
        return settings + table + copied + self.statement(rows)

    # What must become of it

    def refused_by_type(self) -> bool:
        return any(not suits(KINDS[name], of) for name, of in self.types.items() if name in KINDS)

    def expected(self, session: duckdb.DuckDBPyConnection) -> list[Any]:
        """For each row what the log must have, REFUSED, or EITHER."""
        if self.form == "json":
            return list(self.known)
        if self.refused_by_type():
            return [REFUSED] * len(self.values)
        columns = {name: self.expected_of_column(session, name) for name in self.columns()}
        rows = []
        for i in range(len(self.values)):
            row = {name: column[i] for name, column in columns.items()}
            rows.append(whole(row) if i not in self.null_rows else REFUSED)
        return rows

    def expected_of_column(self, session, name: str) -> list[Any]:
        kind, of, column = KINDS[name], self.types[name], quoted(name)

        def ask(expression: str, zone: str = "UTC") -> list[Any]:
            session.execute(f"SET TimeZone = '{zone}'")
            answers = [value for (value,) in session.execute(f"SELECT {expression} FROM given ORDER BY i").fetchall()]
            session.execute(f"SET TimeZone = '{self.zone}'")
            return answers

        if self.form == "arrow":
            at = self.columns().index(name)
            texts = [decoded(row[at]) for row in self.values]
            return [REFUSED if text == NO_UTF8 else of_text(session, kind, text, self.zone) for text in texts]
        textual = of.name in ("VARCHAR", "ENUM", "JSON", "UUID")
        if kind in ("text", "json") and of.holds("TIMESTAMPTZ_NS"):
            # DuckDB gives no extension the text of such a value; the type is taken.
            return [EITHER if there else ("is", None) for there in ask(f"{column} IS NOT NULL")]
        if kind == "text":
            return [("is", text if text is None else cut(text)) for text in ask(f"{column}::VARCHAR")]
        if textual:
            return [of_text(session, kind, text, self.zone) for text in ask(f"{column}::VARCHAR")]
        match kind:
            case "milliseconds" if of.name == "INTERVAL":
                # A month counts 30 days.
                parts = {"year": 360 * DAY_US, "month": 30 * DAY_US, "day": DAY_US, "hour": DAY_US // 24, "minute": 60_000_000, "microsecond": 1}
                micros = ask(" + ".join(f"datepart('{part}', {column})::HUGEINT * {us}" for part, us in parts.items()))
                return [of_milliseconds(None if each is None else each / 1000) for each in micros]
            case "milliseconds":
                return [of_milliseconds(number) for number in ask(f"{column}::DOUBLE")]
            case "count":
                # A FLOAT's text is shorter than the number that it is.
                double = of.name in ("FLOAT", "DOUBLE")
                return [of_count(number) for number in ask(f"{column}::{'DOUBLE' if double else 'VARCHAR'}")]
            case "time":
                # A DATE that no TIMESTAMP can be is an error in 1.5.6, also of TRY_CAST.
                within = f"year({column}) BETWEEN -5000 AND 20000" if of.name == "DATE" else "true"
                known = ask(f"{column} IS NOT NULL")
                finite = f"isfinite({column}{'::TIMESTAMPTZ' if of.name == 'TIMESTAMPTZ_NS' else ''}) AND {within}"
                instants = ask(f"CASE WHEN {finite} THEN epoch_us(TRY_CAST({column} AS TIMESTAMPTZ)) END", self.zone)
                how = "near" if of.name.endswith("_NS") else "is"
                return [of_time(us, how) if there else ("is", None) for us, there in zip(instants, known)]
            case "json" if of.nested:
                texts = ask(f"to_json({column})::VARCHAR")
                there = ask(f"{column} IS NOT NULL")
                return [of_nested(text, of.holds("FLOAT")) if known else ("is", None) for text, known in zip(texts, there)]
            case "json":
                return [of_number(text, of.name not in ("FLOAT", "DOUBLE")) for text in ask(f"{column}::VARCHAR")]
        raise AssertionError(f"no oracle for {kind} of {of.sql}")


def suits(kind: str, of: Type) -> bool:
    """Whether a field takes the type at all, whatever the values are."""
    number = of.name in INTEGERS or of.name in ("FLOAT", "DOUBLE", "DECIMAL")
    textual = of.name in ("VARCHAR", "ENUM", "JSON", "UUID")
    if of.unreadable:
        return False
    match kind:
        case "text":
            return not of.nested
        case "status":
            return textual
        case "milliseconds":
            return number or textual or of.name == "INTERVAL"
        case "count":
            return number or textual
        case "time":
            return textual or of.name in TIMES
        case "json":
            return number or textual or of.nested or of.name == "BOOLEAN"
    raise AssertionError(kind)


NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
INSTANT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d(:\d\d)?)?)?")


def of_text(session, kind: str, text: str | None, zone: str) -> Any:
    """What a field makes of a text."""
    if text is None:
        return ("is", None)
    match kind:
        case "text":
            return ("is", cut(text))
        case "status":
            return ("is", text) if text in STATUSES else REFUSED
        case "milliseconds":
            if NUMBER.fullmatch(text.strip()):
                return of_milliseconds(float(text))
            return REFUSED if not text.strip() or text.strip()[0] not in "+-.0123456789iInN" else EITHER
        case "count":
            return of_count(text.strip()) if re.fullmatch(r"[+-]?\d+", text.strip()) and text.strip().isascii() else REFUSED
        case "time":
            if not INSTANT.fullmatch(text):
                return EITHER
            session.execute(f"SET TimeZone = '{zone}'")
            ((us,),) = session.execute("SELECT epoch_us(TRY_CAST($1 AS TIMESTAMPTZ))", [text]).fetchall()
            return of_time(us)
        case "json":
            ((valid,),) = session.execute("SELECT json_valid($1)", [text]).fetchall()
            deep = max_depth(text) > 128
            return as_json(text) if valid and not deep else REFUSED
    raise AssertionError(kind)


def max_depth(text: str) -> int:
    depth = deepest = 0
    for character in re.sub(r'"(\\.|[^"\\])*"', "", text, flags=re.S):
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest


def of_milliseconds(number: float | None) -> Any:
    if number is None:
        return ("is", None)
    return ("is", number + 0.0) if 0 <= number < 1e12 else REFUSED


def of_count(number: str | float | None) -> Any:
    if number is None:
        return ("is", None)
    if isinstance(number, float):
        return ("is", int(number)) if 0 <= number < 9e15 and number == int(number) else REFUSED
    if "." in number:
        whole_part, fraction = number.split(".")
        if fraction.strip("0"):
            return REFUSED
        number = whole_part or "0"
    return ("is", int(number)) if 0 <= int(number) < 1 << 63 else REFUSED


def of_time(us: int | None, how: str = "is") -> Any:
    if us is None or not FIRST_US - DAY_US <= us <= LAST_US + DAY_US:
        return REFUSED
    # Whether the years of the first and the last day are those of UTC or of the zone is left open.
    if not FIRST_US + DAY_US <= us <= LAST_US - DAY_US:
        return EITHER
    return (how, us)


def of_nested(text: str, single: bool) -> Any:
    # What oplog writes need not be as long as what to_json writes, so near the limit either will do.
    size = len(text.encode())
    if size > TEXT_BYTES_MAX * 0.9:
        return EITHER if size < TEXT_BYTES_MAX * 1.1 else ("cut", None)
    return ("json of FLOAT" if single else "json", sized(parsed(text, single)))


def of_number(text: str | None, exact: bool) -> Any:
    if text is None:
        return ("is", None)
    if text in ("true", "false"):
        return ("is", text)
    if text in ("nan", "inf", "-inf"):
        return REFUSED
    return ("exactly" if exact else "number", text)


def whole(row: dict[str, Any]) -> Any:
    """The row's outcome from those of its fields."""
    if any(value == REFUSED for value in row.values()):
        return REFUSED
    if any(value == EITHER for value in row.values()):
        return EITHER
    command = row["command"][1]
    if command is None or not command.strip():
        return REFUSED
    expected = []
    for name in KINDS:
        how, what = row.get(name, ("is", None))
        if name == "timestamp" and what is None:
            how, what = "any", None
        elif what is None:
            what = DEFAULTS.get(name)
        expected.append((how, digest(what) if how == "is" else what))
    return expected


NO_UTF8 = ("no", "UTF-8")


def decoded(raw: bytes | None) -> Any:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return NO_UTF8


def unchecked(values: list[bytes | None], arrow_type: str) -> pyarrow.Array:
    """Texts whose bytes nobody has checked, as a careless producer writes them."""
    raw = pyarrow.array(values, pyarrow.binary() if arrow_type != "large_utf8" else pyarrow.large_binary())
    texts = pyarrow.Array.from_buffers(pyarrow.utf8() if arrow_type != "large_utf8" else pyarrow.large_utf8(), len(raw), raw.buffers())
    if arrow_type == "dictionary":
        indexes = pyarrow.array(range(len(values)), pyarrow.int32())
        return pyarrow.DictionaryArray.from_arrays(indexes, texts)
    return texts


def case(dice: Dice) -> Case:
    """Any case."""
    strict, zone = dice.often(0.5), dice.choice(["UTC", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
    common = {"strict": strict, "zone": zone, "copies": dice.choice([1, 1, 1, 3, 50])}
    form = dice.choice(["fields", "fields", "fields", "struct", "constant", "json", "positional", "arrow", "long"])
    rows = dice.choice([1, 2, 5, 12, 40])
    # Each time another few, and the command mostly one that will do.
    fields = dice.sample([name for name in KINDS if name != "command"], dice.randint(1, 5))
    match form:
        case "json":
            written = [operation_json(dice) for _ in range(rows)]
            return Case(
                {"whole": Type(dice.choice(["VARCHAR", "JSON"]))}, [[text_sql(text)] for text, _ in written], form=form,
                known=tuple(known for _, known in written), **common,
            )  # fmt: skip
        case "arrow":
            names = ["command", *(name for name in fields)]
            values = [[dice.choice(["import", dice.text()]).encode(), *(bytes_of(dice) for _ in fields)] for _ in range(rows)]
            arrow = dice.choice(["utf8", "large_utf8", "dictionary"])
            # Not joined with anything: DuckDB itself refuses such bytes where it makes a constant of them.
            return Case(dict.fromkeys(names, Type("VARCHAR")), values, form=form, arrow=arrow, **{**common, "copies": 1})
        case "long":
            return long_case(dice, common)
        case "positional":
            types = {"command": Type("VARCHAR"), "status": Type("VARCHAR"), "duration_ms": Type("DOUBLE")}
        case _:
            types = {"command": dice.type(0) if dice.often(0.2) else Type("VARCHAR")}
            for name in fields:
                # A type that the field takes, mostly: one that it does not take hides everything else.
                of = dice.type(0.7 if name == "metadata" else 0.05)
                for _ in range(20):
                    if suits(KINDS[name], of) or dice.often(0.01):
                        break
                    of = dice.type(0.7 if name == "metadata" else 0)
                types[name] = of
    if form == "constant":
        rows, common["copies"] = 1, 1
    values = [[value_of(dice, name, of) for name, of in types.items()] for _ in range(rows)]
    nulls = frozenset(i for i in range(rows) if form == "struct" and dice.often(0.2))
    return Case(types, values, form=form, null_rows=nulls, **common)


def value_of(dice: Dice, name: str, of: Type) -> str:
    if name == "command" and of.name == "VARCHAR" and dice.often(0.9):
        return f"'import {dice.randint(1, 9)}'"
    if name == "status" and of.name == "VARCHAR" and dice.often(0.9):
        return f"'{dice.choice(STATUSES)}'"
    # Most numbers that a type has are none of milliseconds, or of counts.
    if KINDS[name] in ("milliseconds", "count") and dice.often(0.7):
        if of.name in INTEGERS:
            return f"{dice.choice([0, 1, 2, 41, 127])}::{of.sql}"
        if of.name in ("FLOAT", "DOUBLE"):
            return f"{dice.choice(['0', '1', '8388608', '0.1', '123456.789'] if KINDS[name] == 'milliseconds' else ['0', '7'])}::{of.sql}"
        if of.name in ("VARCHAR", "JSON"):
            return f"'{dice.choice(['0', '1', '42'])}'::{of.sql}"
        if of.name == "INTERVAL":
            return f"to_microseconds({dice.randint(0, 10**10)})"
    if KINDS[name] == "time" and of.name == "VARCHAR" and dice.often(0.8):
        day = f"{dice.randint(1970, 2100)}-0{dice.randint(1, 9)}-{dice.randint(10, 28)}"
        fraction, zone = dice.choice(["", ".5", ".123456"]), dice.choice(["", "Z", "+05:45", "-08"])
        return text_sql(f"{day}{dice.choice('T ')}0{dice.randint(0, 9)}:30:00{fraction}{zone}")
    if KINDS[name] == "json" and of.name == "VARCHAR" and dice.often(0.8):
        return text_sql(dice.json_text())
    return dice.literal(of)


def long_case(dice: Dice, common: dict) -> Case:
    """Texts up to several MB, or chunks of tens of MB."""
    fields = dice.sample(["error_message", "request_id", "bucket_name", "metadata", "project_id"], dice.randint(1, 3))
    if dice.often(0.5):
        rows, copies, sizes = dice.randint(1, 3), 1, [TEXT_BYTES_MAX - 1, TEXT_BYTES_MAX, TEXT_BYTES_MAX + 1, 1_000_000, 5_000_000]
    else:
        rows, copies, sizes = 1, dice.choice([100, 300]), [20_000, 60_000]
    values = []
    for _ in range(rows):
        unit = dice.choice(["x", "é", "日", "👩", "ab\\c", '"'])
        row = ["'long'"]
        for name in fields:
            text = f"repeat({text_sql(unit)}, {dice.choice(sizes) // len(unit.encode())})"
            row.append(f"to_json([{text}])::VARCHAR" if name == "metadata" else text)
        values.append(row)
    return Case(dict.fromkeys(["command", *fields], Type("VARCHAR")), values, **{**common, "copies": copies})


def bytes_of(dice: Dice) -> bytes | None:
    """Texts as Arrow may bring them: NULL, sound, cut in the middle of a character, in another encoding, or noise."""
    kind = dice.random()
    raw = dice.choice([dice.text(), dice.choice(STATUSES), "42", dice.json_text()]).encode()
    if kind < 0.1:
        return None
    if kind < 0.75:
        return raw
    if kind < 0.85:
        return (dice.choice(WORDS) + "é日👩").encode()[: -dice.randint(1, 3)]
    noise = dice.randbytes(dice.randint(1, 30))
    return dice.choice([b"caf\xe9", b"\xff\xfe\0", b"\xc0\x80", b"\xed\xa0\x80", b"more than twelve bytes \xf8", noise])


def operation_json(dice: Dice) -> tuple[str, Any]:
    """An operation as JSON, and what must become of it."""
    space = dice.choice(["", " ", "\n\t"])
    row: dict[str, Any] = {}
    members = []
    for name in ["command", *dice.sample([name for name in KINDS if name != "command"], dice.randint(0, 5))]:
        text, value = member(dice, name)
        row[name] = value
        members.append(f"{json.dumps(name)}{space}:{space}{text}")
    if dice.often(0.1):
        # Broken somewhere, or sound by chance.
        whole_text = "{" + ",".join(members) + "}"
        at = dice.randrange(len(whole_text))
        return whole_text[:at] + dice.choice(["", "\0", "}", '"', ",", "\\", "🙂"]) + whole_text[at + 1 :], EITHER
    dice.shuffle(members)
    return space + "{" + (space + ",").join(members) + space + "}", whole(row)


def member(dice: Dice, name: str) -> tuple[str, Any]:
    if name != "command" and dice.often(0.1):
        return "null", ("is", None)
    text = dice.text()
    written = json.dumps(text, ensure_ascii=dice.often(0.5))
    match KINDS[name]:
        case "text" if dice.often(0.8):
            return written, ("is", cut(text))
        case "text":
            digits = dice.choice(["7", "1.10", "-0", "1e2", "123456789012345678901234567890123456789012345", "true", "false"])
            return digits, ("is", digits)
        case "status":
            status = dice.choice(STATUSES)
            return json.dumps(status), ("is", status)
        case "milliseconds":
            number = dice.choice([0, 1, 2.5, 1e11, -1, 1e12, 1e300, dice.uniform(0, 1e6)])
            return json.dumps(number), of_milliseconds(float(number))
        case "count":
            number = dice.choice([0, 1, (1 << 63) - 1, 1 << 63, -1, 1 << 130, dice.getrandbits(40)])
            return json.dumps(number), of_count(str(number))
        case "time":
            us = dice.randint(0, 4_000_000_000) * 1_000_000
            moment = datetime.datetime.fromtimestamp(us // 1_000_000, datetime.timezone.utc)
            return json.dumps(moment.strftime("%Y-%m-%dT%H:%M:%SZ")), ("is", us)
        case "json":
            document = dice.json_text()
            return document, ("is", None) if document == "null" else as_json(document)
    raise AssertionError(name)


class Mismatch(AssertionError):
    """The log does not have what it should, in the row of this id if that is known."""

    def __init__(self, what: str, identifier: str | None = None):
        super().__init__(what)
        self.identifier = identifier


def recorded(session: duckdb.DuckDBPyConnection) -> int:
    ((number,),) = session.execute("SELECT value::BIGINT FROM oplog_status() WHERE name = 'recorded_operations'").fetchall()
    return number


class Unusable(Exception):
    """The engine itself does not make the values."""


def run(session: duckdb.DuckDBPyConnection, given: Case, announce=lambda rows: None, acknowledge=lambda ids: None) -> None:
    """Records a case, and holds what is acknowledged, refused and counted against what is expected.

    `announce` is told how many rows a statement may record, before it runs, and `acknowledge` gets [(id, expected)].
    """
    try:
        given.prepare(session)
        expected = given.expected(session)
    except duckdb.Error as error:
        raise Unusable(str(error)) from error
    session.execute(f"SET oplog_strict = {str(given.strict).lower()}")
    rows = list(range(len(expected)))
    good = [i for i in rows if expected[i] not in (REFUSED, EITHER)]
    bad = [i for i in rows if expected[i] == REFUSED and i not in given.null_rows]
    if given.strict and bad:
        refuse(session, given, bad)
    chosen = [i for i in rows if i not in bad and expected[i] != EITHER] if given.strict else rows
    if given.strict and given.form != "json" and given.refused_by_type():
        chosen = []
    if chosen:
        announce(len(chosen) * given.copies)
        try:
            answers = session.execute(given.statement(chosen)).fetchall()
        except duckdb.NotImplementedException as error:
            raise Unusable(str(error)) from error
        except duckdb.Error as error:
            raise Mismatch(f"refused, and should be recorded: {error}") from error
        if len(answers) != len(chosen) * given.copies:
            raise Mismatch(f"{len(answers)} answers to {len(chosen) * given.copies} rows")
        for i, identifier in answers:
            if identifier is None and i in good:
                raise Mismatch(f"row {i} is NULL, and should be recorded")
            if identifier is not None and expected[i] == REFUSED:
                raise Mismatch(f"row {i} is recorded, and should be refused")
        acknowledge([(identifier, expected[i] if expected[i] != EITHER else None) for i, identifier in answers if identifier is not None])
    if given.strict:
        for i in [i for i in rows if expected[i] == EITHER]:
            announce(given.copies)
            try:
                acknowledge([(identifier, None) for _, identifier in session.execute(given.statement([i])).fetchall()])
            except duckdb.Error as error:
                check_error(error, given)


def refuse(session: duckdb.DuckDBPyConnection, given: Case, bad: list[int]) -> None:
    """When strict, a chunk with a bad row is an error, and nothing of it is recorded."""
    before = recorded(session)
    for statement in [given.statement(list(range(len(given.values)))), given.statement(bad[:1])]:
        try:
            session.execute(statement).fetchall()
        except duckdb.NotImplementedException as error:
            raise Unusable(str(error)) from error
        except duckdb.Error as error:
            check_error(error, given)
        else:
            raise Mismatch(f"recorded, and should be refused: {statement[:2000]}")
        # More than a chunk is not recorded as a whole, by what the documents say.
        if len(given.values) * given.copies <= 2048 and recorded(session) != before:
            raise Mismatch(f"refused, and yet {recorded(session) - before} were recorded")


def check_error(error: duckdb.Error, given: Case) -> None:
    said = str(error)
    if not isinstance(error, duckdb.InvalidInputException) or "oplog_record: " not in said:
        raise Mismatch(f"the error is none of oplog's: {type(error).__name__}: {said[:500]}")
    if len(said) > 1000:
        raise Mismatch(f"an error of {len(said)} characters: {said[:500]}")
    if given.form != "json" and not any(name in said for name in given.types):
        raise Mismatch(f"the error names no field: {said}")


def compare(session: duckdb.DuckDBPyConnection, ledger: dict[str, Any], where: str = "true") -> set[str]:
    """Holds the log's rows against what was acknowledged, and returns the ids of those that nobody was told of."""
    unknown = set()
    cursor = session.cursor().execute(f"SELECT id::VARCHAR, {READ} FROM operation_log WHERE {where}")
    while rows := cursor.fetchmany(500):
        for identifier, *actual in rows:
            if identifier not in ledger:
                unknown.add(identifier)
            elif ledger[identifier] is not None and (names := differences(ledger[identifier], tuple(actual))):
                found = dict(zip(KINDS, actual))
                wanted = dict(zip(KINDS, ledger[identifier]))
                told = "; ".join(f"{name} is {str(found[name])[:300]!r}, and should be {str(wanted[name])[:300]}" for name in names)
                raise Mismatch(f"{identifier}: {told}", identifier)
    return unknown


def shrunk(given: Case, fails) -> Case:
    """The smallest part of a case for which `fails` holds still: fewer rows, then fewer fields."""
    rows = range(len(given.values))
    candidates = [replace(given, copies=1)]
    for i in rows:
        known, nulls = given.known[i : i + 1], frozenset({0} if i in given.null_rows else ())
        candidates.append(replace(given, values=[given.values[i]], known=known, null_rows=nulls, copies=1))
    smallest = next((candidate for candidate in reversed(candidates) if fails(candidate)), given)
    if smallest.form in ("fields", "struct", "constant", "arrow"):
        for name in [name for name in smallest.types if name != "command"]:
            at = smallest.columns().index(name)
            types = {other: of for other, of in smallest.types.items() if other != name}
            fewer = replace(smallest, types=types, values=[[*row[:at], *row[at + 1 :]] for row in smallest.values])
            if len(types) > 1 and fails(fewer):
                smallest = fewer
    return smallest
