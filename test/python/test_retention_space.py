"""Space that retention frees is given back or used again: a log that is purged again and again does not grow."""

ROUND = """
    SELECT count(oplog_record({
        command: 'import', duration_ms: i, table_name: 'orders_' || (i % 10), request_id: uuid()::VARCHAR,
        timestamp: now() - INTERVAL 1 DAY
    })) FROM range(100000) AS t(i)
"""


def test_a_log_that_is_purged_again_and_again_does_not_grow(connect, host):
    session = connect(host)
    sidecar = host.with_name(host.name + ".oplog")
    session.execute("SET oplog_retention = INTERVAL 1 HOUR")
    sizes = []
    for _ in range(16):
        session.execute(ROUND)
        (purged,) = session.execute("CALL oplog_purge()").fetchall()
        assert purged == (100_000, 100_000, 0)
        sizes.append(sidecar.stat().st_size)
    # Which blocks a round finds free differs from round to round, but they are the same blocks again and again.
    # What is rolled up of each round stays: some hundred numbers a round.
    assert max(sizes[8:]) <= max(sizes[:8]) + 8 * 262_144, sizes
    assert session.execute("SELECT count(*) FROM operation_log").fetchall() == [(0,)]


def test_a_log_in_memory_does_not_grow_either(connect):
    session = connect()
    session.execute("SET oplog_retention = INTERVAL 1 HOUR")
    for _ in range(6):
        session.execute(ROUND)
        assert session.execute("CALL oplog_purge()").fetchall() == [(100_000, 100_000, 0)]
    assert session.execute("SELECT count(*) FROM operation_log").fetchall() == [(0,)]


def test_a_log_in_memory_has_a_size_too(connect):
    session = connect()
    session.execute("SET oplog_max_size = '16MB'")
    for _ in range(8):
        session.execute(ROUND.replace("uuid()::VARCHAR", "repeat(uuid()::VARCHAR, 3)"))
        session.execute("CALL oplog_purge()")
    assert session.execute("CALL oplog_purge()").fetchall() == [(0, 0, 0)]
    (count,) = session.execute("SELECT count(*) FROM operation_log").fetchall()[0]
    assert 100_000 < count < 800_000


def test_the_oldest_go_when_the_log_is_too_large(connect, host):
    session = connect(host)
    sidecar = host.with_name(host.name + ".oplog")
    session.execute("SET oplog_max_size = '16MB'")
    for _ in range(8):
        session.execute(ROUND.replace("uuid()::VARCHAR", "repeat(uuid()::VARCHAR, 3)"))
        session.execute("CALL oplog_purge()")
    again = session.execute("CALL oplog_purge()").fetchall()
    assert again == [(0, 0, 0)], "a purge with nothing new deletes nothing"
    (row,) = session.execute("SELECT count(*), min(seq), max(seq) FROM operation_log").fetchall()
    count, first, last = row
    assert last == 800_000
    assert 100_000 < count < 800_000
    # What is left is the newest, without a hole.
    assert count == last - first + 1
    assert sidecar.stat().st_size <= 2 * 16_000_000
    (deleted,) = session.execute(
        "SELECT deleted_operations FROM oplog_retention() WHERE setting = 'oplog_max_size'"
    ).fetchall()
    assert deleted == (800_000 - count,)
