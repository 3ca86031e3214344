"""Every suite that `make test` and .ci/run go through."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from typing import Callable

import counts
from engines import EXTENSION, ROOT, TOOLS, Client, default_engine, engines, of_kind, short_tests


@dataclass(frozen=True)
class Suite:
    name: str
    command: list[str]
    # None for a tool that only succeeds or fails: it is one check, and the exit code tells which.
    count: Callable[[str], counts.Counts] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    # One that mostly waits runs beside another one.
    uses_all_cores: bool = True


# What all tests stand on. A step is not counted, but if it fails there is nothing more to run.
STEPS = [
    Suite("build", ["make", "--no-print-directory", "all", "test-extensions"]),
    Suite("engines", [sys.executable, str(TOOLS / "setup_engines.py")]),
]

LINT = [
    Suite("format", ["cargo", "fmt", "--all", "--check"]),
    Suite("format of the Rust client", ["cargo", "fmt", "--manifest-path", "test/clients/rust/Cargo.toml", "--check"]),
    Suite("clippy", ["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
]


def sqllogictest(engine: Client) -> Suite:
    command = ["cargo", "run", "--quiet", "--package", "sqllogictest-runner", "--"]
    command += ["--engine", engine.label, "--python", str(engine.python)]
    for known in engines():
        command += ["--known-engine", known.label]
    command += ["--driver", str(TOOLS / "sqllogictest" / "driver.py"), "--extension", str(EXTENSION)]
    command += ["--jobs", str(os.cpu_count() or 2), str(ROOT / "test" / "sql")]
    return Suite(f"sqllogictest {engine.label}", command, counts.sqllogictest)


def pytest(name: str, engine: Client, *paths: str) -> Suite:
    return Suite(name, [str(engine.python), "-m", "pytest", *paths], counts.pytest, uses_all_cores=False)


def node(client: Client) -> Suite:
    tests = sorted(str(path) for path in (ROOT / "test" / "clients" / "node").glob("*.test.mjs"))
    environment = {"OPLOG_EXTENSION": str(EXTENSION), "OPLOG_NODE_ENVIRONMENT": str(client.environment)}
    command = ["node", "--test", "--test-reporter=tap", *tests]
    return Suite(client.label, command, counts.node, environment, uses_all_cores=False)


def rust(client: Client) -> Suite:
    """The duckdb crate links the library that DuckDB's package for Node.js brings along: neither crates.io nor PyPI has one."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    library = client.environment / "node_modules" / "@duckdb" / f"node-bindings-{sys.platform}-{machine}"
    environment = {
        "OPLOG_EXTENSION": str(EXTENSION),
        "DUCKDB_LIB_DIR": str(library),
        "LD_LIBRARY_PATH" if sys.platform == "linux" else "DYLD_LIBRARY_PATH": str(library),
        "CARGO_TARGET_DIR": str(ROOT / "build" / "rust-client"),
    }
    manifest = ROOT / "test" / "clients" / "rust" / "Cargo.toml"
    command = ["cargo", "test", "--locked", "--manifest-path", str(manifest)]
    return Suite(f"rust {client.version}", command, counts.cargo, environment, uses_all_cores=False)


def test_suites() -> list[Suite]:
    suites = [Suite("cargo", ["cargo", "test", "--workspace"], counts.cargo)]
    suites += [sqllogictest(engine) for engine in engines()]
    # The long ones first, so that they run beside each other.
    for engine in sorted(engines(), key=lambda engine: engine.short):
        paths = short_tests() if engine.short else ["test", "--ignore=test/clients"]
        suites.append(pytest(f"pytest {engine.label}", engine, *paths))
    suites += [pytest(client.label, default_engine(), "test/clients/cli") for client in of_kind("cli")]
    for client in of_kind("node"):
        suites += [node(client), rust(client)]
    return suites
