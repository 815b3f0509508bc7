// docs/recovery.md, done: a base backup of a running system, an hour that is lost, the backup put back while WhatsApp, NATS and the
// connections know more than it does. The judges are the phones and the customer's webhook, which were never away.
import assert from "node:assert/strict";
import { cp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import pg from "pg";
import { dataFolderAt } from "#local/data-folder.ts";
import { send, sendUntilAccepted, text, userWrites } from "#test/client.ts";
import { phoneMessages, statusesOf, webhooks } from "#test/judge.ts";
import { until } from "#test/until.ts";
import { longestUnknownMs, openStage, type Stage } from "./stage.ts";

const users = ["12025550101", "12025550102", "12025550103"];
const services = ["gateway", "messages", "templates", "billing", "quality", "webhooks"];

type Sent = { wamid: string; user: string; words: string };

/** One message to each user. */
async function sendAll({ system: { run } }: Stage, number: number, words: string): Promise<Sent[]> {
  const phoneNumberId = run.numbers[number]?.phoneNumberId ?? "";
  const sent: Sent[] = [];
  for (const user of users) sent.push({ wamid: await send(run, phoneNumberId, text(user, words)), user, words });
  return sent;
}

async function timesOnPhone({ system: { run } }: Stage, { user, words }: Sent): Promise<number> {
  return (await phoneMessages(run, user)).filter((message) => message.text === words).length;
}

function arrive(stage: Stage, sent: readonly Sent[], message: string): Promise<boolean> {
  const times = () => Promise.all(sent.map((one) => timesOnPhone(stage, one)));
  return until(async () => (await times()).every((count) => count === 1), { timeoutMs: 30_000, message });
}

function areTold({ system: { run } }: Stage, sent: readonly Sent[], status: string): Promise<boolean> {
  const told = () => Promise.all(sent.map(({ wamid }) => statusesOf(run, wamid)));
  return until(async () => (await told()).every((statuses) => statuses.includes(status)), {
    timeoutMs: 30_000,
    message: `the webhook was not told that all of "${sent[0]?.words}" is ${status}`,
  });
}

async function signal(stage: Stage, process_: string, how: NodeJS.Signals): Promise<void> {
  process.kill((await stage.find(process_)).pid, how);
}

/** As pg_basebackup does, which is not among the binaries here. What is committed when it resolves is in it. */
async function backUp(databaseUrl: string, from: string, to: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query("select pg_backup_start('restore test', true)");
    // Made anew by the server that starts from the copy.
    const isKept = (path: string): boolean => !/postmaster\.(pid|opts)$|pg_wal\/.+/.test(path);
    await cp(from, to, { recursive: true, filter: isKept });
    const { rows } = await client.query<{ labelfile: string }>("select labelfile from pg_backup_stop(false)");
    await writeFile(join(to, "backup_label"), rows[0]?.labelfile ?? "");
    await cp(join(from, "pg_wal"), join(to, "pg_wal"), { recursive: true });
  } finally {
    await client.end();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Stops the services, puts the backup back and starts them to recover; connections, NATS and WhatsApp run on. */
async function restore(stage: Stage, backup: string, since: Date): Promise<void> {
  const { postgres } = dataFolderAt(stage.system.dataDir);
  const { runner } = stage.system;
  // It would start again at once what is stopped.
  runner.kill("SIGSTOP");
  for (const service of services) await signal(stage, service, "SIGKILL");
  await signal(stage, "postgres", "SIGQUIT");
  await until(async () => !(await exists(join(postgres, "postmaster.pid"))), { message: "Postgres did not stop" });
  await rm(postgres, { recursive: true, maxRetries: 5, retryDelay: 100 });
  await rename(backup, postgres);
  await stage.setEnv("messages", { RECOVER_SINCE: since.toISOString() });
  runner.kill("SIGCONT");
}

async function openWindows({ system: { run } }: Stage): Promise<void> {
  for (const number of run.numbers)
    for (const user of users) await userWrites(run, user, number.displayPhoneNumber, "hello");
  await until(async () => (await webhooks(run)).inbound.length >= users.length * run.numbers.length);
}

test("after a restore nothing is sent twice, and all that the backup knows comes to an end", async () => {
  await using stage = await openStage();
  const { system, databaseUrl } = stage;
  const { run } = system;
  const backup = `${dataFolderAt(system.dataDir).postgres}.backup`;
  const [one, other] = run.numbers.map(({ name }) => `connection-${name}`);
  assert.ok(one !== undefined && other !== undefined);
  await openWindows(stage);
  const done = await sendAll(stage, 0, "done before the backup");
  await areTold(stage, done, "read");
  for (const name of [one, other]) await signal(stage, name, "SIGSTOP");
  const open = [await sendAll(stage, 0, "accepted before the backup"), await sendAll(stage, 1, "the other number's")];
  const [told = [], untold = []] = open;
  const since = new Date();
  await backUp(databaseUrl, dataFolderAt(system.dataDir).postgres, backup);

  // All of this is lost: what one number sent and its webhooks, and what the other sent, whose webhooks find nobody.
  await signal(stage, one, "SIGCONT");
  const forgotten = await sendAll(stage, 0, "accepted after the backup");
  await areTold(stage, [...told, ...forgotten], "read");
  await signal(stage, "gateway", "SIGSTOP");
  await signal(stage, other, "SIGCONT");
  await arrive(stage, untold, "the other number did not send");
  await restore(stage, backup, since);

  // WhatsApp repeats what nobody took, and nobody knew what had become of the others.
  await areTold(stage, untold, "read");
  await stage.passTime(longestUnknownMs);
  await areTold(stage, told, "failed");
  const fresh: Sent[] = [];
  for (const [index, { phoneNumberId }] of run.numbers.entries()) {
    const words = `after the restore, by number ${index}`;
    const user = users[index % users.length] ?? "";
    const wamid = await sendUntilAccepted(run, phoneNumberId, text(user, words), AbortSignal.timeout(30_000));
    fresh.push({ wamid: wamid ?? "", user, words });
  }
  await areTold(stage, fresh, "read");

  for (const message of [...done, ...told, ...untold, ...forgotten, ...fresh])
    assert.equal(await timesOnPhone(stage, message), 1, `"${message.words}" on the phone of ${message.user}`);
  const states = await Promise.all(
    [...done, ...told, ...untold, ...forgotten].map(({ wamid }) =>
      fetch(`${run.gateway}/heliograph/v1/messages/${wamid}`, { headers: { authorization: `Bearer ${run.token}` } }),
    ),
  );
  const known = await Promise.all(
    states.map(async (answer) => (answer.ok ? /"state":"(\w+)"/.exec(await answer.text())?.[1] : answer.status)),
  );
  const times = <T>(value: T): T[] => users.map(() => value);
  assert.deepEqual(known, [...times("read"), ...times("failed"), ...times("read"), ...times(404)]);
  const log = await readFile(join(stage.logs, "messages.log"), "utf8");
  assert.match(log, /what may have been sent is unknown/);
});
