"""Whatever is acknowledged is read back equal, whatever it was; whatever is refused is a clear error, and nothing of it is there.

Random and hostile operations of every type (`harness.fuzz`), in a log beside a file, in one with a small `oplog_max_size` and in
memory, through a close and through kill -9. OPLOG_FUZZ_SECONDS is how long it goes on; OPLOG_FUZZ_SEED repeats a run's lives.
"""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import time
from pathlib import Path

import pytest

from harness import connect, fuzz
from harness.ledger import assert_gapless, assert_totals, ids_in_log, status
from harness.processes import command, environment

SECONDS = float(os.environ.get("OPLOG_FUZZ_SECONDS", "20"))
# The same one in every run, so that a run that fails says something of the change; 0 stands for any.
SEED = int(os.environ.get("OPLOG_FUZZ_SEED", "1")) or random.SystemRandom().randrange(1, 1_000_000)

# Each life records cases until its time is over, and writes what was acknowledged, and what may have been, to a file.
LIFE = """
    import os, pickle, sys, threading, time
    from harness import connect, fuzz
    from harness.ledger import peak_rss_bytes, status
    path, seed, seconds, ledger_path, end, max_size = sys.argv[1:]
    dice = fuzz.Dice(seed)

    def opened(path):
        session = connect(path)
        # Times of any year are recorded: none of them is old enough to go.
        for name in ("oplog_retention", "oplog_error_retention"):
            session.execute(f"SET {name} = '20000 years'")
        return session

    def fails(case):
        acknowledged = {}
        with opened(":memory:") as session:
            try:
                fuzz.run(session, case, acknowledge=acknowledged.update)
                fuzz.compare(session, acknowledged)
            except fuzz.Mismatch:
                return True
            except fuzz.Unusable:
                pass
            return False

    session = opened(path)
    if max_size:
        session.execute(f"SET oplog_max_size = '{max_size}'")
    session.execute(f"SET oplog_flush_interval = '{dice.choice([1, 50, 1000])} ms'")
    session.execute(f"SET oplog_durability = '{dice.choice(['process', 'process', 'os'])}'")
    ledger, cases_of = {}, {}
    (from_seq,) = session.execute("SELECT coalesce(max(seq), 0) FROM operation_log").fetchone()
    killer = threading.Timer(float(seconds) * dice.uniform(0.3, 1.5), lambda: os.kill(os.getpid(), 9))
    killer.daemon = True
    if end == "killed":
        killer.start()
    cases = unusable = 0
    with open(ledger_path, "ab", buffering=0) as file:

        def acknowledge(ids):
            ledger.update(ids)
            cases_of.update(dict.fromkeys((identifier for identifier, _ in ids), case))
            file.write(pickle.dumps(ids))

        over = time.monotonic() + float(seconds)
        while time.monotonic() < over or end == "killed":
            cases += 1
            case = fuzz.case(dice)
            try:
                fuzz.run(session, case, lambda rows: file.write(pickle.dumps(rows)), acknowledge)
                if dice.often(0.2):
                    # The log's own DuckDB is asked, so that all of it is committed.
                    strange = fuzz.compare(session, ledger, f"seq > {from_seq}")
                    assert not strange, f"{len(strange)} rows that nobody was told of: {sorted(strange)[:3]}"
            except fuzz.Unusable:
                unusable += 1
            except fuzz.Mismatch as mismatch:
                culprit = cases_of.get(mismatch.identifier, case)
                print(f"case {cases} of seed {seed}: {mismatch}\\nsmallest: {fuzz.shrunk(culprit, fails).text()[:20_000]}", flush=True)
                os._exit(3)
    assert unusable * 3 < cases + 30, f"{unusable} of {cases} cases are none"
    strange = fuzz.compare(session, ledger, f"seq > {from_seq}")
    assert not strange, f"{len(strange)} rows that nobody was told of: {sorted(strange)[:3]}"
    figures = status(session)
    assert figures["set_aside_operations"] == "0" and figures["lost_operations"] == "0", figures["notes"]
    if max_size:
        session.execute("CALL oplog_purge()").fetchall()
    # The log's own DuckDB and what waits have their limits; the rest is the client's, its columns and the longest texts of a statement.
    assert peak_rss_bytes() < MEMORY_BYTES_MAX, f"{peak_rss_bytes()} bytes resident"
    if end == "left":
        os._exit(0)
    session.close()
"""

MEMORY_BYTES_MAX = 512_000_000 + 64 * 1024 * 1024 + 700_000_000


def live(path, seed: str, seconds: float, ledger_path: Path, end: str, max_size: str) -> None:
    code = LIFE.replace("MEMORY_BYTES_MAX", str(MEMORY_BYTES_MAX))
    arguments = (path, seed, seconds, ledger_path, end, max_size)
    finished = subprocess.run(
        command(code, arguments), env=environment(None), capture_output=True, text=True, timeout=seconds * 2 + 170
    )
    expected = -9 if end == "killed" else 0
    assert finished.returncode == expected, (
        f"exit code {finished.returncode}, expected {expected}; life {seed!r}, {end}\n{finished.stdout}\n{finished.stderr}"
    )


def read_ledger(path: Path) -> tuple[dict, int]:
    """What was acknowledged, and how many rows the statement may have recorded that was running at the end."""
    acknowledged, announced = {}, 0
    with path.open("rb") as file:
        while True:
            try:
                entry = pickle.load(file)
            except EOFError:
                return acknowledged, announced
            except pickle.UnpicklingError:
                # The kill came while it was written, so the statement's rows are known by number only.
                return acknowledged, announced
            if isinstance(entry, int):
                announced = entry
            else:
                acknowledged.update(entry)
                announced = 0


def disk_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if ".oplog" in file.name)


def check(host: Path, ledger_path: Path, from_seq: int, max_size: str, killed: bool) -> int:
    """Opens the log again, and holds all of it against what was acknowledged. Returns its last seq."""
    acknowledged, announced = read_ledger(ledger_path)
    with connect(host) as session:
        figures = status(session)
        assert figures["role"] == "owner" and figures["lost_operations"] == "0" == figures["set_aside_operations"], figures["notes"]
        strange = fuzz.compare(session, acknowledged, f"seq > {from_seq}")
        assert len(strange) <= (announced if killed else 0), f"{len(strange)} rows that nobody was told of: {sorted(strange)[:3]}"
        missing = acknowledged.keys() - set(ids_in_log(session, from_seq + 1))
        assert max_size or not missing, f"{len(missing)} of {len(acknowledged)} acknowledged are missing: {sorted(missing)[:3]}"
        last = assert_gapless(session)
        # Those that retention has deleted have counted too.
        assert last - from_seq >= len(acknowledged)
        assert_totals(session)
        return last


@pytest.mark.timeout(SECONDS * 3 + 300)
def test_what_is_acknowledged_is_read_back_equal(tmp_path, capsys):
    chance = random.Random(SEED)
    over = time.monotonic() + SECONDS
    lives = operations = 0
    try:
        while lives < 3 or time.monotonic() < over:
            # The three kinds of log by turns, so that each run has them all.
            kind = ["file", "small file", "memory"][lives % 3]
            folder = tmp_path / f"log {lives}"
            folder.mkdir()
            host, ledger_path = folder / "app.duckdb", folder / "ledger"
            last = 0
            for life in range(1 if kind == "memory" else chance.randint(1, 2)):
                seconds = min(max(chance.uniform(0.05, 0.1) * SECONDS, 1), 30)
                max_size = "16MB" if kind == "small file" or (kind == "memory" and chance.random() < 0.5) else ""
                end = chance.choice(["closed", "left"]) if kind == "memory" else chance.choice(["closed", "left", "killed", "killed"])
                ledger_path.unlink(missing_ok=True)
                live(":memory:" if kind == "memory" else host, f"{SEED}-{lives}-{life}", seconds, ledger_path, end, max_size)
                if kind != "memory":
                    last = check(host, ledger_path, last, max_size, end == "killed")
                    # What waits for the log is gone, and a small log stays near its limit.
                    limit = 3 * 16_000_000 if kind == "small file" and end == "closed" else 1_500_000_000
                    assert disk_bytes(folder) < limit, f"{disk_bytes(folder)} bytes: {sorted(folder.iterdir())}"
                operations += len(read_ledger(ledger_path)[0])
            lives += 1
    except BaseException:
        print(f"log {lives}; OPLOG_FUZZ_SEED={SEED} repeats its lives, apart from the moments of kills")
        raise
    with capsys.disabled():
        print(f"\n{operations} operations acknowledged in {lives} logs; OPLOG_FUZZ_SEED={SEED}")
    assert operations > 100, "hardly anything was recorded"
