"""A client for the server of oplog_serve: the standard library's where requests are as they should be, sockets where not."""

from __future__ import annotations

import http.client
import json
import os
import select
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import duckdb

TIMEOUT_SECONDS = 20


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        assert self.headers["content-type"] == "application/json", self
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The message of a refusal, which says in its body what its status line says."""
        error = self.json["error"]
        assert error["status"] == self.status and error["code"] and error["message"], self
        return error["message"]


@dataclass
class Client:
    address: str
    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None, **query) -> Answer:
        """One request on a connection of its own. Parameters are encoded; the path is sent as it is."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=TIMEOUT_SECONDS)
        try:
            target = path + ("?" + urlencode(query, quote_via=quote) if query else "")
            connection.request(method, target, body=body, headers={**self.headers, **(headers or {})})
            return read(connection)
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection((self.address, self.port), timeout=TIMEOUT_SECONDS)

    def raw(self, data: bytes, end: bool = False) -> bytes:
        """Sends bytes, and returns what comes until the server closes. It may do so at any time; with `end` it is told that
        nothing follows, once it has had a moment to begin its answer: nobody waits for one who has gone."""
        with self.connect() as connection:
            try:
                connection.sendall(data)
                if end:
                    select.select([connection], [], [], 0.02)
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            return read_to_end(connection)


def read(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def read_to_end(connection: socket.socket) -> bytes:
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def serve(session: duckdb.DuckDBPyConnection, **parameters) -> Client:
    """CALL oplog_serve, at any free port where none is given."""
    given = ", ".join(f"{name} := '{value}'" for name, value in {"port": 0, **parameters}.items())
    [(address, port, url)] = session.execute(f"CALL oplog_serve({given})").fetchall()
    split = urlsplit(url)
    assert (split.scheme, split.hostname, split.port) == ("http", address, port)
    client = Client(address, port)
    if "token" in parameters:
        client.headers = {"Authorization": f"Bearer {parameters['token']}"}
    return client


def can_connect(client: Client) -> bool:
    try:
        client.connect().close()
    except ConnectionRefusedError:
        return False
    return True


def threads() -> list[str]:
    """The names of the threads that the server has in this process."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name in ("oplog-serve", "oplog-answer"):
            names.append(name)
    return sorted(names)


def assert_no_threads() -> None:
    """All of them are gone. The kernel lists one for a moment after it has been joined."""
    deadline = time.monotonic() + 1
    while left := threads():
        assert time.monotonic() < deadline, left
        time.sleep(0.001)


def open_files() -> list[str]:
    """What this process has open, by kind."""
    files = []
    for number in os.listdir("/proc/self/fd"):
        try:
            files.append(os.readlink(f"/proc/self/fd/{number}").split("[")[0])
        except FileNotFoundError:
            continue
    return sorted(files)
