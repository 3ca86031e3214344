"""Turns a shared library into a DuckDB extension by appending the metadata that DuckDB reads on LOAD.

The layout, from the end of the file: 256 bytes of signature (zeros, as oplog is not signed), then eight fields
of 32 bytes of which the first comes last, then the header of a WebAssembly custom section, which keeps the same
layout valid for Wasm builds of an extension.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

FIELD_BYTES = 32
SIGNATURE_BYTES = 256
# The value of the first field, by which DuckDB knows that a footer is there.
MAGIC = "4"
# The function table of the stable C API, and not DuckDB's unstable C++ interface.
ABI = "C_STRUCT"
# The oldest DuckDB whose stable C API has all that oplog calls.
C_API_VERSION = "v1.5.6"
DEFAULT_PLATFORM = "linux_amd64"


def leb128(value: int) -> bytes:
    """The unsigned variable-length integers of the WebAssembly binary format; two bytes for our lengths."""
    encoded = bytearray()
    while True:
        low, value = value & 0x7F, value >> 7
        encoded.append(low | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def section_header(payload_bytes: int) -> bytes:
    name = b"duckdb_signature"
    named = bytes([len(name)]) + name + leb128(payload_bytes)
    custom_section = b"\x00"
    return custom_section + leb128(len(named) + payload_bytes) + named


def field(text: str) -> bytes:
    encoded = text.encode("ascii")
    if len(encoded) > FIELD_BYTES:
        raise ValueError(f"footer field {text!r} has {len(encoded)} bytes, at most {FIELD_BYTES} fit")
    return encoded.ljust(FIELD_BYTES, b"\x00")


def footer(platform: str, extension_version: str) -> bytes:
    fields = [MAGIC, platform, C_API_VERSION, extension_version, ABI, "", "", ""]
    payload = b"".join(field(text) for text in reversed(fields)) + b"\x00" * SIGNATURE_BYTES
    return section_header(len(payload)) + payload


def crate_version(manifest: Path) -> str:
    """The version in the [package] table. A TOML parser is not in the standard library before Python 3.11."""
    package = re.search(r"^\[package\]$(.*?)(?=^\[|\Z)", manifest.read_text(), re.MULTILINE | re.DOTALL)
    version = package and re.search(r'^version\s*=\s*"([^"]+)"', package.group(1), re.MULTILINE)
    if not version:
        raise ValueError(f"{manifest} has no version in its [package] table")
    return f"v{version.group(1)}"


def write_atomically(path: Path, content: bytes) -> None:
    """A running test that loads the artifact sees the old one or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o755)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", type=Path, help="the shared library that cargo built")
    parser.add_argument("extension", type=Path, help="the extension to write")
    parser.add_argument("--manifest", type=Path, default=Path("Cargo.toml"))
    parser.add_argument("--platform", default=DEFAULT_PLATFORM)
    arguments = parser.parse_args()

    version = crate_version(arguments.manifest)
    library = arguments.library.read_bytes()
    write_atomically(arguments.extension, library + footer(arguments.platform, version))
    print(f"{arguments.extension}: oplog {version}, C API {C_API_VERSION}, {arguments.platform}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
