import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  clearData,
  type DataFolder,
  DataFolderError,
  dataFolderAt,
  LockedError,
  lockDataFolder,
} from "./data-folder.ts";
import { identify } from "./process-identity.ts";

function temporary(t: TestContext): DataFolder {
  const root = mkdtempSync(join(tmpdir(), "heliograph-data-"));
  t.after(() => rmSync(root, { recursive: true }));
  return dataFolderAt(root);
}

test("a second runner on the folder is refused in one line, and let in once the first is gone", (t) => {
  const folder = temporary(t);
  const lock = lockDataFolder(folder);
  assert.throws(
    () => lockDataFolder(folder),
    (error) => error instanceof LockedError && error.message.includes(`${folder.root} (process ${process.pid})`),
  );
  lock[Symbol.dispose]();
  lockDataFolder(folder)[Symbol.dispose]();
  assert.equal(existsSync(folder.lock), false);
});

test("the lock of a runner that was killed is taken over", async (t) => {
  const folder = temporary(t);
  const runner = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await once(runner, "spawn");
  writeFileSync(folder.lock, JSON.stringify(identify(runner.pid ?? 0)));
  assert.throws(() => lockDataFolder(folder), LockedError);
  runner.kill("SIGKILL");
  await once(runner, "exit");
  lockDataFolder(folder)[Symbol.dispose]();
});

test("the lock of another process that got the same pid does not count", (t) => {
  const folder = temporary(t);
  writeFileSync(folder.lock, JSON.stringify({ ...identify(process.pid), startTime: "before/1" }));
  lockDataFolder(folder)[Symbol.dispose]();
});

test("a folder is marked at its first use, and taken again with whatever stands in it", (t) => {
  const folder = temporary(t);
  mkdirSync(folder.env);
  lockDataFolder(folder)[Symbol.dispose]();
  assert.deepEqual(JSON.parse(readFileSync(folder.marker, "utf8")), { version: 1 });
  mkdirSync(folder.logs);
  lockDataFolder(folder)[Symbol.dispose]();
});

const strangers: [sentence: string, fill: (folder: DataFolder) => void][] = [
  ["holds a file", ({ root }) => writeFileSync(join(root, "mine.txt"), "")],
  ["holds logs", ({ logs }) => mkdirSync(logs)],
  [
    "holds a database without our secrets",
    ({ postgres }) => {
      mkdirSync(postgres);
      writeFileSync(join(postgres, "PG_VERSION"), "17\n");
    },
  ],
  ["holds a marker of somebody else's", ({ marker }) => writeFileSync(marker, "[]")],
];
for (const [sentence, fill] of strangers) {
  test(`a folder that ${sentence} is refused and left as it is`, (t) => {
    const folder = temporary(t);
    fill(folder);
    const before = readdirSync(folder.root);
    assert.throws(
      () => lockDataFolder(folder),
      (error) => error instanceof DataFolderError && error.message.includes("not Heliograph's"),
    );
    assert.deepEqual(readdirSync(folder.root), before);
  });
}

test("a folder from before there was a marker is known by its database and our secrets, and marked", (t) => {
  const folder = temporary(t);
  for (const path of [folder.postgres, folder.secrets]) mkdirSync(path);
  for (const path of [join(folder.postgres, "PG_VERSION"), join(folder.secrets, "api-token")]) writeFileSync(path, "");
  lockDataFolder(folder)[Symbol.dispose]();
  assert.ok(existsSync(folder.marker));
});

test("a place that cannot be a folder is said in our words", (t) => {
  const { root } = temporary(t);
  const file = join(root, "file");
  writeFileSync(file, "");
  for (const place of [file, join(file, "below")]) {
    assert.throws(
      () => lockDataFolder(dataFolderAt(place)),
      (error) => error instanceof DataFolderError && error.message.includes("it is not a folder"),
    );
  }
});

test("a fresh start forgets the data and keeps what only costs time to make", (t) => {
  const folder = temporary(t);
  for (const path of [folder.postgres, folder.nats, folder.secrets, folder.logs, folder.cache]) mkdirSync(path);
  for (const path of [folder.runFile, `${folder.postgres}.password`, join(folder.root, "mine.txt")])
    writeFileSync(path, "");
  clearData(folder);
  const left = [
    folder.postgres,
    folder.nats,
    folder.secrets,
    folder.logs,
    folder.runFile,
    `${folder.postgres}.password`,
  ].filter(existsSync);
  assert.deepEqual(left, []);
  assert.ok(existsSync(folder.cache) && existsSync(join(folder.root, "mine.txt")));
});
