"""The metadata footer, byte by byte, and what DuckDB reads from it."""

from __future__ import annotations

import pytest

import append_footer
import engines
from harness import EXTENSION, connect


def test_artifact_ends_with_the_footer_of_its_version():
    version = append_footer.crate_version(engines.ROOT / "Cargo.toml")
    footer = EXTENSION.read_bytes()[-534:]
    # A custom section of 531 bytes, its name, a payload of 512 bytes: the lengths in LEB128.
    assert footer[:22] == b"\x00\x93\x04\x10duckdb_signature\x80\x04"
    fields = [footer[22 + 32 * index : 54 + 32 * index].rstrip(b"\x00").decode() for index in range(8)]
    assert fields[::-1] == ["4", "linux_amd64", "v1.5.6", version, "C_STRUCT", "", "", ""]
    assert footer[278:] == bytes(256)


def test_duckdb_reads_the_version_from_the_footer():
    version = append_footer.crate_version(engines.ROOT / "Cargo.toml")
    with connect() as connection:
        assert connection.execute(
            "SELECT loaded, extension_version FROM duckdb_extensions() WHERE extension_name = 'oplog'"
        ).fetchall() == [(True, version)]


def test_field_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="at most 32 fit"):
        append_footer.field("v" * 33)


def test_version_comes_from_the_package_table(tmp_path):
    manifest = tmp_path / "Cargo.toml"
    manifest.write_text('[workspace]\nversion = "9.9.9"\n[package]\nname = "x"\nversion = "1.2.3"\n[dependencies]\n')
    assert append_footer.crate_version(manifest) == "v1.2.3"
    manifest.write_text('[dependencies]\nversion = "9.9.9"\n')
    with pytest.raises(ValueError, match="no version"):
        append_footer.crate_version(manifest)
