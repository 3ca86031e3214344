"""Copies the extension to where DuckDB looks for it by name, for every supported version of DuckDB.

DuckDB's rule is <extension directory>/v<DuckDB's version>/<platform>/<name>.duckdb_extension.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from append_footer import DEFAULT_PLATFORM, write_atomically
from engines import engines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("extension", type=Path)
    parser.add_argument("--platform", default=DEFAULT_PLATFORM)
    arguments = parser.parse_args()

    configured = os.environ.get("DUCKDB_EXTENSION_DIR")
    directory = Path(configured) if configured else Path.home() / ".duckdb" / "extensions"
    content = arguments.extension.read_bytes()
    for engine in engines():
        target = directory / f"v{engine.version}" / arguments.platform / arguments.extension.name
        write_atomically(target, content)
        print(f"installed {target}")
    print("In a session that was started with allow_unsigned_extensions (`duckdb -unsigned`): LOAD oplog;")
    if configured:
        print(f"and with: SET extension_directory = '{directory.resolve()}';")
    return 0


if __name__ == "__main__":
    sys.exit(main())
