"""The faults that other tests inject: they hit what they are to hit, and nothing else."""

from __future__ import annotations

import signal

from harness import faults, run_python

PRELUDE = """
    import ctypes, errno, os, sys, time
    from harness import faults
    control = faults.control()
    hit, other = sys.argv[1] + "/app.oplog.wal", sys.argv[1] + "/app.duckdb"

    def error_of(call, *arguments):
        try:
            call(*arguments)
        except OSError as error:
            return error.errno
"""


def run(code: str, directory, *rules: faults.Rule, exit_code: int = 0, **options) -> str:
    lines = PRELUDE + code
    return run_python(lines, directory, env=faults.environment(*rules, **options), exit_code=exit_code)


def test_an_operation_fails_as_often_as_asked(tmp_path):
    run(
        """
    file, spared = open(hit, "wb", buffering=0), open(other, "wb", buffering=0)
    rule = control.fail(faults.WRITE, "*.oplog*", errno.ENOSPC, skip=1, times=2)
    assert [error_of(file.write, b"some") for _ in range(4)] == [None, errno.ENOSPC, errno.ENOSPC, None]
    assert error_of(spared.write, b"some") is None
    assert control.hits(rule) == 4
    control.clear()
    for ops, call in [
        (faults.SYNC, lambda: os.fsync(file.fileno())),
        (faults.SYNC, lambda: os.fdatasync(file.fileno())),
        (faults.TRUNCATE, lambda: os.ftruncate(file.fileno(), 1)),
        (faults.WRITE, lambda: os.pwrite(file.fileno(), b"some", 0)),
        (faults.WRITE, lambda: os.writev(file.fileno(), [b"some", b"more"])),
        (faults.WRITE, lambda: os.pwritev(file.fileno(), [b"some", b"more"], 0)),
        (faults.TRUNCATE, lambda: os.truncate(hit, 1)),
        (faults.READ, lambda: os.preadv(os.open(hit, os.O_RDONLY), [bytearray(1)], 0)),
        (faults.MKDIR, lambda: os.mkdir(f"{sys.argv[1]}/{time.monotonic_ns()}.oplog.wal")),
        (faults.OPEN, lambda: os.open(hit, os.O_RDONLY)),
        (faults.READ, lambda: os.pread(os.open(hit, os.O_RDONLY), 1, 0)),
        (faults.RENAME, lambda: os.rename(hit, hit)),
        (faults.UNLINK, lambda: os.unlink(hit)),
    ]:
        control.fail(ops, "*.oplog.wal", errno.EIO)
        assert error_of(call) == errno.EIO, ops
        control.clear()
        control.fail(faults.CHANGES & ~ops, "*.oplog.wal", errno.EIO)
        control.fail(ops, "*.duckdb", errno.EIO)
        if ops not in (faults.READ, faults.OPEN):
            assert error_of(call) is None, ops
        control.clear()
    """,
        tmp_path,
    )


def test_a_write_falls_short(tmp_path):
    run(
        """
    file = os.open(hit, os.O_CREAT | os.O_RDWR)
    control.short(faults.WRITE, "*.wal", times=1)
    assert [os.write(file, b"12345678"), os.write(file, b"5678")] == [4, 4]
    assert os.pread(file, 99, 0) == b"12345678"
    """,
        tmp_path,
    )


def test_the_process_dies_at_an_operation(tmp_path):
    run(
        """
    file = os.open(hit, os.O_CREAT | os.O_RDWR)
    control.kill(faults.WRITE, "*.wal", skip=2)
    for _ in range(3):
        os.write(file, b"12345678")
    """,
        tmp_path,
        exit_code=-signal.SIGKILL,
    )
    assert (tmp_path / "app.oplog.wal").read_bytes() == b"12345678" * 2


def test_the_process_dies_within_a_write(tmp_path):
    torn = faults.Rule(faults.WRITE, "*.wal", faults.TORN, skip=1)
    run(
        """
    file = os.open(hit, os.O_CREAT | os.O_RDWR)
    for _ in range(3):
        os.write(file, b"12345678")
    """,
        tmp_path,
        torn,
        exit_code=-signal.SIGKILL,
    )
    assert (tmp_path / "app.oplog.wal").read_bytes() == b"123456781234"


def test_the_trace_names_what_was_matched(tmp_path):
    run(
        """
    control.mark("begin")
    file = os.open(hit, os.O_CREAT | os.O_RDWR)
    os.open(other, os.O_CREAT | os.O_RDWR)
    os.write(file, b"12345678")
    os.unlink(hit)
    os.fsync(file)
    """,
        tmp_path,
        faults.Rule(faults.CHANGES, "*.oplog*", faults.COUNT),
        trace=tmp_path / "trace",
    )
    wal = tmp_path / "app.oplog.wal"
    assert (tmp_path / "trace").read_text().splitlines() == [
        "mark begin", f"open {wal}", f"write {wal}", f"unlink {wal}", f"sync {wal}",
    ]


def test_the_wall_clock_jumps_and_the_others_do_not(tmp_path):
    run(
        """
    before, steady = time.time(), time.monotonic()
    control.clock(-3600)
    assert -3610 < time.time() - before < -3590
    assert 0 <= time.monotonic() - steady < 10
    control.clock(0)
    assert 0 <= time.time() - before < 10
    """,
        tmp_path,
    )


def test_it_sees_what_the_log_does(tmp_path):
    # Were the engine or the extension to go past the C library, no fault would reach them and every test of faults would pass.
    run_python(
        """
    import sys
    from harness import connect, record
    session = connect(sys.argv[1])
    record(session, "import")
    session.execute("CALL oplog_flush()")
    """,
        tmp_path / "app.duckdb",
        env=faults.environment(faults.Rule(faults.CHANGES, "*.oplog*", faults.COUNT), trace=tmp_path / "trace"),
    )
    seen = set((tmp_path / "trace").read_text().splitlines())
    log = tmp_path / "app.duckdb.oplog"
    for line in [f"open {log}", f"write {log}", f"sync {log}", f"write {log}.wal", f"sync {log}.wal",
                 f"open {log}.journal.000001", f"write {log}.journal.000001", f"unlink {log}.journal.000001"]:
        assert line in seen, line
