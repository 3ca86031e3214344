"""description.yml has what the community repository asks for, and says what Cargo.toml says."""

import re
from pathlib import Path

import duckdb
import yaml

from harness import EXTENSION

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTION = yaml.safe_load((ROOT / "description.yml").read_text())
REQUIRED = {
    "extension": {"name", "description", "version", "language", "build", "license", "maintainers"},
    "repo": {"github", "ref"},
    "docs": {"hello_world", "extended_description"},
}


def package(key):
    return re.search(rf'^{key} = "([^"]+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)


def test_every_field_that_is_asked_for_is_there():
    for part, fields in REQUIRED.items():
        missing = fields - {field for field, value in DESCRIPTION[part].items() if value}
        assert not missing, part
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", DESCRIPTION["repo"]["github"])
    assert re.fullmatch(r"[0-9a-f]{40}|v[0-9.]+", DESCRIPTION["repo"]["ref"])


def test_it_says_what_the_crate_says():
    extension = DESCRIPTION["extension"]
    for key in ("name", "version", "license", "description"):
        assert extension[key] == package(key), key
    assert (extension["language"], extension["build"]) == ("Rust", "cargo")


def test_the_greeting_runs():
    with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as session:
        session.execute(f"LOAD '{EXTENSION}'")
        for statement in DESCRIPTION["docs"]["hello_world"].strip().split(";\n"):
            assert session.execute(statement.removesuffix(";")).fetchall()
