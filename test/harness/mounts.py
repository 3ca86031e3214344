"""Small file systems of their own, which a process may mount in a namespace of its own."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile

# What to run follows the directory.
MOUNTED = 'mount -t tmpfs -o size=3m oplog "$0" && exec "$@"'


@functools.cache
def can_mount() -> bool:
    if not shutil.which("unshare"):
        return False
    with tempfile.TemporaryDirectory() as directory:
        tried = subprocess.run(["unshare", "-rm", "sh", "-c", MOUNTED, directory, "true"], capture_output=True)
    return tried.returncode == 0
