"""A custom extension repository, as `make repository` lays it out: INSTALL and LOAD by name work from it."""

import subprocess
import sys
from pathlib import Path

import duckdb

from harness import EXTENSION

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "extension-ci-tools" / "lay_out_repository.py"


def test_install_from_a_repository_and_load_by_name(tmp_path):
    repository = tmp_path / "repository"
    subprocess.run([sys.executable, TOOL, EXTENSION, repository], check=True, capture_output=True)
    config = {"allow_unsigned_extensions": "true", "extension_directory": str(tmp_path / "extensions")}
    with duckdb.connect(config=config) as session:
        session.execute(f"INSTALL oplog FROM '{repository}'")
        session.execute("LOAD oplog")
        ((version,),) = session.execute("SELECT oplog_version()").fetchall()
        installed = session.execute(
            "SELECT loaded, installed, extension_version, installed_from FROM duckdb_extensions() WHERE extension_name = 'oplog'"
        ).fetchall()
    assert installed == [(True, True, f"v{version}", str(repository))]


def test_equal_builds_make_equal_repositories(tmp_path):
    contents = []
    for name in ("one", "other"):
        subprocess.run([sys.executable, TOOL, EXTENSION, tmp_path / name], check=True, capture_output=True)
        contents.append({path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.gz")})
    assert contents[0] == contents[1] and len(contents[0]) >= 2
