// DuckDB's client for Node.js. It comes from the environment that the pinned version was set up in.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";

const require = createRequire(join(process.env.OPLOG_NODE_ENVIRONMENT, "package.json"));
const { DuckDBInstance } = require("@duckdb/node-api");

let directory;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "oplog-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

async function withOplog(path, work) {
  const instance = await DuckDBInstance.create(path, { allow_unsigned_extensions: "true" });
  const connection = await instance.connect();
  try {
    await connection.run(`LOAD '${process.env.OPLOG_EXTENSION}'`);
    return await work(connection, instance);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function commands(connection) {
  const result = await connection.runAndReadAll("SELECT command FROM operation_log ORDER BY seq");
  return result.getRows().map(([command]) => command);
}

test("records survive close and reopen", async () => {
  const path = join(directory, "app.duckdb");
  for (const command of ["first", "second"]) {
    await withOplog(path, (connection) => connection.run(`SELECT oplog_record({command: '${command}'})`));
  }
  assert.deepEqual(await withOplog(path, commands), ["first", "second"]);
});

test("JSON bound to a parameter is an operation", async () => {
  await withOplog(":memory:", async (connection) => {
    const operation = { command: "import", status: "error", error_code: "E42", rows_affected: 7 };
    await connection.run("SELECT oplog_record(CAST($1 AS JSON))", [JSON.stringify(operation)]);
    const result = await connection.runAndReadAll("SELECT command, status, error_code, rows_affected FROM operation_log");
    assert.deepEqual(result.getRows(), [["import", "error", "E42", 7n]]);
  });
});

test("operations recorded concurrently are all there", async () => {
  await withOplog(":memory:", async (_, instance) => {
    // Each connection's work goes to a thread of Node's pool.
    const sessions = await Promise.all(Array.from({ length: 8 }, () => instance.connect()));
    await Promise.all(
      sessions.map(async (session) => {
        for (let step = 0; step < 50; step++) await session.run("SELECT oplog_record({command: 'query'})");
      }),
    );
    const result = await sessions[0].runAndReadAll("SELECT count(*), max(seq) - min(seq) + 1 FROM operation_log");
    assert.equal(result.getRows()[0][0], 400n);
    assert.equal(Number(result.getRows()[0][1]), 400);
    sessions.forEach((session) => session.closeSync());
  });
});
