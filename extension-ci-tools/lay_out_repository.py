"""Lays out a custom extension repository, from which `INSTALL oplog FROM 'path or URL'` works in every supported DuckDB.

DuckDB asks a repository for <repository>/v<DuckDB's version>/<platform>/<name>.duckdb_extension.gz.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from pathlib import Path

from append_footer import DEFAULT_PLATFORM, write_atomically
from engines import engines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("extension", type=Path)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--platform", default=DEFAULT_PLATFORM)
    arguments = parser.parse_args()

    # Without a time in it, equal builds make equal repositories.
    content = gzip.compress(arguments.extension.read_bytes(), mtime=0)
    for engine in engines():
        folder = arguments.repository / f"v{engine.version}" / arguments.platform
        target = folder / f"{arguments.extension.name}.gz"
        write_atomically(target, content)
        print(target)
    print(f"In a session that was started with allow_unsigned_extensions: INSTALL oplog FROM '{arguments.repository.resolve()}';")
    return 0


if __name__ == "__main__":
    sys.exit(main())
