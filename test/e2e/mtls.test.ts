// All of the system over TLS with certificates on both sides: messages go their way while authority and certificates are replaced,
// nothing that was not restarted has to be, and afterwards whoever shows an old certificate, or none, is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "#lib/grpc.ts";
import type { GrpcTls } from "#lib/grpc-tls.ts";
import { createPool } from "#lib/postgres.ts";
import { openTls } from "#lib/tls.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "#proto/grpc/health/v1/health_pb.ts";
import { sendUntilAccepted, text, userWrites } from "#test/client.ts";
import { createAuthority, type KeyPair, writeTlsFolder } from "#test/env/certificates.ts";
import { testLog } from "#test/env/log.ts";
import { tlsFolder } from "#test/env/tls-stores.ts";
import { startTlsSystem, type TlsSystem } from "#test/env/tls-system.ts";
import { phoneMessages, statusesOf, webhooks } from "#test/judge.ts";
import { until } from "#test/until.ts";

const authority = createAuthority("authority of last year");
const next = createAuthority("authority of this year");
const bundle = `${authority.ca}\n${next.ca}`;
// The address is for the stores alone: gRPC goes by the name, and the database knows its user by the common name.
const names = { dnsNames: ["wa-connection.default.svc"], ips: ["127.0.0.1"], commonName: "postgres" };
const user = "12025550101";
const everyMs = 250;
const patience = { timeoutMs: 60_000 };

type Files = KeyPair & { ca: string };
type Accepted = { wamid: string; words: string };

/** Four messages a second, each repeated until it is accepted. */
function startLoad({ run }: TlsSystem, title: string) {
  const accepted: Accepted[] = [];
  const underWay: Promise<void>[] = [];
  const phoneNumberId = run.numbers[0]?.phoneNumberId ?? "";
  const sendOne = async (words: string): Promise<void> => {
    const wamid = await sendUntilAccepted(run, phoneNumberId, text(user, words), AbortSignal.timeout(60_000));
    assert.ok(wamid, `${words} was not accepted`);
    accepted.push({ wamid, words });
  };
  const timer = setInterval(() => underWay.push(sendOne(`${title} ${underWay.length}`)), everyMs);
  return {
    accepted,
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
}

/** Puts the files in place and waits until every process has read them, which its metrics tell. */
async function rotate(system: TlsSystem, folder: string, files: Files, validTo: Date): Promise<void> {
  writeTlsFolder(folder, files);
  const expected = String(Math.floor(validTo.getTime() / 1_000));
  for (const { name, http } of system.processes) {
    if (name === "simulator" || name === "receiver") continue;
    const isRead = async (): Promise<boolean> => {
      const metrics = await (await fetch(`${http}/metrics`)).text();
      const shown = [...metrics.matchAll(/^tls_certificate_expires_at_seconds\{.*\} (\d+)$/gm)];
      return shown.length > 0 && shown.every(([, value]) => value === expected);
    };
    await until(isRead, { ...patience, message: `${name} does not read its new certificate` });
  }
  system.nats.reload();
  system.postgres.reload();
}

/** With these files; plain without. */
async function askAll({ processes }: TlsSystem, files: Files | undefined): Promise<Map<string, Status | undefined>> {
  const folder = tlsFolder("asking");
  if (files !== undefined) writeTlsFolder(folder, files);
  await using tls = openTls(files === undefined ? {} : { GRPC_TLS_DIR: folder }, { log: testLog });
  const ask = async (address: string, grpc: GrpcTls | undefined): Promise<Status | undefined> => {
    await using client = createClient(Health, address, { tls: grpc, deadlineMs: 20_000 });
    return await client.check({}).then(
      ({ status }) => status,
      () => undefined,
    );
  };
  const served = processes.filter(({ grpc }) => grpc !== null);
  return new Map(
    await Promise.all(served.map(async ({ name, grpc }) => [name, await ask(grpc ?? "", tls.grpc)] as const)),
  );
}

/** Ends the load, and waits until all of it was read on the phone and told, each message once. */
async function settle({ run }: TlsSystem, load: ReturnType<typeof startLoad>): Promise<void> {
  await load.stop();
  for (const { wamid, words } of load.accepted) {
    const isRead = async (): Promise<boolean> => (await statusesOf(run, wamid)).includes("read");
    await until(isRead, { ...patience, message: `${words} was not read` });
  }
  const arrived = (await phoneMessages(run, user)).map((message) => message.text);
  const sent = load.accepted.map(({ words }) => words);
  assert.deepEqual(arrived.filter((words) => sent.includes(words)).toSorted(), sent.toSorted());
}

test("messages flow over mTLS while authority and certificates are replaced, each once and none lost", async () => {
  const folder = tlsFolder("shared");
  const old: Files = { ...authority.issue(names), ca: bundle };
  writeTlsFolder(folder, old);
  await using system = await startTlsSystem(folder);
  const { run } = system;
  await userWrites(run, user, run.numbers[0]?.displayPhoneNumber ?? "", "hello");
  await until(async () => (await webhooks(run)).inbound.length > 0, { ...patience, message: "no inbound" });
  const load = startLoad(system, "during");
  await until(() => load.accepted.length > 2, { ...patience, message: "nothing is accepted" });

  const days = (count: number): Date => new Date(Date.now() + count * 86_400_000);
  const [soon, later] = [days(2), days(3)];
  await rotate(system, folder, { ...next.issue({ ...names, validTo: soon }), ca: bundle }, soon);
  await rotate(system, folder, { ...next.issue({ ...names, validTo: later }), ca: next.ca }, later);
  await settle(system, load);

  // Every connection is opened anew, by processes that have run since before.
  const newcomer: Files = { ...next.issue(names), ca: next.ca };
  await terminateSessions(system, newcomer);
  await system.nats.restart();
  await system.restart("messages");
  const afterwards = startLoad(system, "afterwards");
  await until(() => afterwards.accepted.length > 4, { ...patience, message: "nothing is accepted any more" });
  await settle(system, afterwards);
  assert.equal((await webhooks(run)).badSignatures, 0);

  for (const [name, status] of await askAll(system, newcomer)) assert.equal(status, Status.SERVING, name);
  for (const [name, status] of await askAll(system, old)) assert.equal(status, undefined, `${name} takes an old one`);
  for (const [name, status] of await askAll(system, undefined)) assert.equal(status, undefined, `${name} speaks plain`);
});

/** Also shows that the database takes the new certificates. */
async function terminateSessions({ postgres }: TlsSystem, files: Files): Promise<void> {
  const folder = tlsFolder("administrator");
  writeTlsFolder(folder, files);
  await using tls = openTls({ DATABASE_TLS_DIR: folder }, { log: testLog });
  const pool = { url: postgres.url, size: 1, log: testLog, applicationName: "test", tls: tls.database };
  await using database = createPool(pool);
  const sql =
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname is not null";
  await until(() => database.query(sql), { ...patience, message: "the database does not take the new certificate" });
}
