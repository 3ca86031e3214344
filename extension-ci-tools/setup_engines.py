"""Sets up, under build/, every engine and tool that the tests need; with --demo, what the demo needs. Does nothing for
what is already there.

Needs Python 3 with venv. Node.js, npm, prometheus and promtool are taken from the system where it has them, and from apt
where it does not.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Callable

from engines import ENVIRONMENTS, ROOT, TOOLS, Client, default_engine, read_clients

# What the demo needs goes into the default engine's environment, beside what the tests need.
DEMO_REQUIREMENTS = ROOT / "demo" / "requirements.txt"
PROMETHEUS = ENVIRONMENTS / "prometheus"


class SetupError(Exception):
    """Something that the user has to put right."""


def run(*command: str | Path, cwd: Path | None = None) -> None:
    print("+", *command, flush=True)
    subprocess.run([str(word) for word in command], cwd=cwd, check=True)


def once(environment: Path, inputs: str, build: Callable[[], None]) -> None:
    """Builds an environment unless a stamp says that these very inputs went into it.

    The stamp comes last, so an interrupted build counts as none.
    """
    stamp = environment / ".stamp"
    digest = hashlib.sha256(inputs.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    shutil.rmtree(environment, ignore_errors=True)
    environment.mkdir(parents=True)
    build()
    stamp.write_text(digest)


def apt(*arguments: str, cwd: Path | None = None, why: str) -> None:
    if shutil.which("apt-get") is None:
        raise SetupError(f"{why}, and this system has no apt-get: install it by hand and run again")
    if os.geteuid() != 0:
        raise SetupError(f"{why}: run `apt-get {' '.join(arguments)}` as root and run again")
    run("apt-get", "update", "-q")
    run("apt-get", *arguments, cwd=cwd)


def make_virtualenv(environment: Path) -> None:
    # Debian's Python comes without the part of venv that brings pip.
    if importlib.util.find_spec("ensurepip") is None:
        apt("install", "-y", "-q", "--no-install-recommends", "python3-venv", why="Python's venv is incomplete")
    venv.create(environment, with_pip=True)


def set_up_python(client: Client) -> None:
    requirement_files = [TOOLS / "requirements.txt"]
    if client == default_engine() and DEMO_REQUIREMENTS.is_file():
        requirement_files.append(DEMO_REQUIREMENTS)

    def build() -> None:
        make_virtualenv(client.environment)
        install = [client.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for file in requirement_files:
            install += ["-r", file]
        run(*install, f"{client.package}=={client.version}")

    once(client.environment, repr(client) + "".join(file.read_text() for file in requirement_files), build)


def set_up_cli(client: Client) -> None:
    def build() -> None:
        make_virtualenv(client.environment)
        run(client.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{client.package}=={client.version}")

    once(client.environment, repr(client), build)


def set_up_node(client: Client) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        apt("install", "-y", "-q", "--no-install-recommends", "nodejs", "npm", why="Node.js or npm is missing")

    def build() -> None:
        # Its own package.json keeps npm from looking for one further up.
        (client.environment / "package.json").write_text('{"private": true}\n')
        run("npm", "install", "--silent", "--no-audit", "--no-fund", f"{client.package}@{client.version}", cwd=client.environment)

    once(client.environment, repr(client), build)


def set_up_prometheus() -> None:
    """promtool judges whether metrics and rules are well formed, and a Prometheus of the tests' own scrapes and evaluates
    them. The package is unpacked here and not installed, as installing it would start a server of the system's."""
    if shutil.which("promtool") and shutil.which("prometheus"):
        return

    def build() -> None:
        apt("download", "-q", "-o", "APT::Sandbox::User=root", "prometheus", cwd=PROMETHEUS, why="prometheus or promtool is missing")
        (package,) = PROMETHEUS.glob("prometheus_*.deb")
        run("dpkg-deb", "--extract", package, PROMETHEUS)
        package.unlink()

    once(PROMETHEUS, "prometheus", build)


SET_UP = {"python": set_up_python, "cli": set_up_cli, "node": set_up_node}


def main(arguments: list[str]) -> int:
    # The demo runs in the default engine, and needs nothing of the others.
    demo_only = arguments == ["--demo"]
    if arguments and not demo_only:
        print("usage: setup_engines.py [--demo]", file=sys.stderr)
        return 2
    try:
        for client in [default_engine()] if demo_only else read_clients():
            SET_UP[client.kind](client)
        if not demo_only:
            set_up_prometheus()
    except SetupError as error:
        print(f"engines: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"engines: `{' '.join(error.cmd)}` failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
