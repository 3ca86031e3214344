"""The operations that the benchmarks record."""

from __future__ import annotations

# What a service knows of nearly every request, and the types that it has it in.
FIELDS = {
    "command": "VARCHAR",
    "status": "VARCHAR",
    "duration_ms": "DOUBLE",
    "project_id": "VARCHAR",
    "table_name": "VARCHAR",
    "rows_affected": "BIGINT",
    "bytes_in": "BIGINT",
    "request_id": "VARCHAR",
}

NAMES = ", ".join(FIELDS)

# As columns of a table, as parameters, and as what EXECUTE is given.
STRUCT = "{" + ", ".join(f"{name}: {name}" for name in FIELDS) + "}"
# With their types stated, DuckDB keeps the plan of a prepared statement; without, it plans anew for each EXECUTE.
PARAMETERS = ", ".join(f"${number}::{type}" for number, type in enumerate(FIELDS.values(), start=1))
STRUCT_OF_PARAMETERS = "{" + ", ".join(f"{name}: {given}" for name, given in zip(FIELDS, PARAMETERS.split(", "))) + "}"
VALUES = ["import", "success", 12.5, "project_7", "table_31", 1_000, 52_000, "0b0f8a52-64a7-4c7c-9a3e-8d3f6a1c2b90"]

COMMANDS = "['import', 'export', 'query', 'query', 'query', 'preview', 'ingest', 'GET /tables']"
FAILURES = "['error', 'timeout', 'cancelled']"


def pick(values: str, number: str) -> str:
    """SQL for one of a list's values. The number is hashed, so that neighbours differ as they do in a service."""
    return f"{values}[1 + (hash({number}) % len({values}))::BIGINT]"


def columns(number: str = "i") -> str:
    """SQL for the eight fields of operation number i: 20 projects, 50 tables, request ids of their own, 2 % failures."""
    return f"""
        {pick(COMMANDS, number)} AS command,
        CASE WHEN {failed(number)} THEN {pick(FAILURES, f'{number} + 1')} ELSE 'success' END AS status,
        exp(random() * 7) AS duration_ms,
        'project_' || hash({number} + 2) % 20 AS project_id,
        'table_' || hash({number} + 3) % 50 AS table_name,
        (random() * 1e5)::BIGINT AS rows_affected,
        (random() * 1e7)::BIGINT AS bytes_in,
        uuid()::VARCHAR AS request_id"""


def failed(number: str = "i") -> str:
    return f"hash({number} + 4) % 50 = 0"


def month(operations: int, first: int, end: int) -> str:
    """A query for a column `op`: those from `first` to before `end` of a month's operations.

    They are spread evenly over the last 30 days, and have all that a service would add to the eight fields.
    """
    step_us = 30 * 86_400_000_000 // operations
    return f"""
        SELECT {{
            timestamp: now() - to_microseconds(({operations} - i) * {step_us}),
            {", ".join(f"{name}: {name}" for name in FIELDS)},
            error_code: if({failed()}, status || '_' || hash(i) % 5, NULL),
            error_message: if({failed()}, 'Constraint Error: Duplicate key "id: ' || i || '" violates a constraint.', NULL),
            -- A job imports about twenty tables.
            connection_job_id: if(command = 'import', 'job_' || i // 160, NULL)
        }} AS op
        FROM (SELECT i, {columns()} FROM range({first}, {end}) AS numbers(i))"""
