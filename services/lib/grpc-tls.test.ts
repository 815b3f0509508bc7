import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { Registry } from "prom-client";
import { Health, HealthCheckResponse_ServingStatus as Status } from "#proto/grpc/health/v1/health_pb.ts";
import { type Authority, createAuthority, type KeyPair, writeTlsFolder } from "#test/env/certificates.ts";
import { until } from "#test/until.ts";
import { ServiceError } from "./errors.ts";
import { createClient, type GrpcServer, startGrpc } from "./grpc.ts";
import type { GrpcTls } from "./grpc-tls.ts";
import { createLog } from "./log.ts";
import { openTls } from "./tls.ts";

const base = mkdtempSync(join(tmpdir(), "heliograph-grpc-tls-"));
after(() => rmSync(base, { recursive: true }));
const authority = createAuthority("authority one");
const other = createAuthority("authority two");
const lines: string[] = [];
const log = createLog({ service: "test", level: "info", destination: { write: (line) => void lines.push(line) } });
const own = { dnsNames: ["wa-messages.default.svc", "wa-connection.default.svc"] };
const past = new Date(Date.now() - 60_000);

type Party = AsyncDisposable & { tls: GrpcTls; folder: string; write(files: KeyPair & { ca: string }): void };
let parties = 0;

/** A process' side: its folder, and what it opened from it. */
function party(files: KeyPair & { ca: string }): Party {
  parties += 1;
  const folder = join(base, String(parties));
  const write = (changed: KeyPair & { ca: string }): void => writeTlsFolder(folder, changed);
  write(files);
  const tls = openTls({ GRPC_TLS_DIR: folder }, { log, lookEveryMs: 50 });
  assert.ok(tls.grpc);
  return { tls: tls.grpc, folder, write, [Symbol.asyncDispose]: () => tls[Symbol.asyncDispose]() };
}

function of(issuer: Authority, wanted: Parameters<Authority["issue"]>[0] = own, ca = authority.ca): Party {
  return party({ ...issuer.issue(wanted), ca });
}

function start(tls: GrpcTls | undefined): Promise<GrpcServer> {
  return startGrpc({ host: "127.0.0.1", port: 0, services: [], log, registry: new Registry(), tls });
}

async function ask(address: string, tls: GrpcTls | undefined): Promise<Status> {
  await using client = createClient(Health, address, { tls });
  return (await client.check({})).status;
}

/** The error's message. */
async function refused(address: string, tls: GrpcTls | undefined): Promise<string> {
  const error = await ask(address, tls).then(
    () => assert.fail("was not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ServiceError);
  assert.equal(error.code, "UNAVAILABLE", error.message);
  return error.message;
}

test("peers speak at an address that no certificate names, if their certificates have a name in common", async () => {
  await using server = of(authority);
  await using client = of(authority, { dnsNames: ["other.example", "WA-connection.default.svc"] });
  await using grpcServer = await start(server.tls);
  assert.equal(await ask(grpcServer.address, client.tls), Status.SERVING);
  await using ended = createClient(Health, grpcServer.address, { tls: client.tls });
  const answers = ended.watch({})[Symbol.asyncIterator]();
  assert.deepEqual((await answers.next()).value?.status, Status.SERVING);
  await answers.return?.();
});

const strangers: [sentence: string, client: () => Party, told: RegExp][] = [
  ["of another authority", () => of(other), /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
  ["that has expired", () => of(authority, { ...own, validTo: past }), /CERT_HAS_EXPIRED/],
  ["with other names", () => of(authority, { dnsNames: ["x.default.svc"] }), /no DNS name that ours carries/],
  [
    "with our name as its common name only",
    () => of(authority, { dnsNames: ["x"], commonName: "wa-messages.default.svc" }),
    /no DNS name/,
  ],
  [
    "with a name that only looks like ours",
    () => of(authority, { dnsNames: ["x", "x, DNS:wa-messages.default.svc, DNS:y"] }),
    /no DNS name/,
  ],
  ["with a wildcard in place of our name", () => of(authority, { dnsNames: ["x", "*.default.svc"] }), /no DNS name/],
];
for (const [sentence, stranger, told] of strangers) {
  test(`a client with a certificate ${sentence} is refused, and it is told why`, async () => {
    await using server = of(authority);
    await using grpcServer = await start(server.tls);
    await using client = stranger();
    // It would take any server, as one that means ill does.
    const careless = carelessOf(client.tls);
    lines.length = 0;
    await refused(grpcServer.address, careless);
    const line = await until(() => lines.find((one) => one.includes("peer refused")));
    assert.match(line, told);
    assert.match(line, /"peer":"127\.0\.0\.1"/);
    await refused(grpcServer.address, careless);
    assert.equal(lines.filter((one) => one.includes("peer refused")).length, 1, "told once in a minute");
  });
}

function carelessOf({ files, ...tls }: GrpcTls): GrpcTls {
  const { cert, key } = files.current();
  const verify = { checkServerIdentity: () => undefined };
  const [ca, own, ownCert] = [authority.ca, key, cert].map((pem) => Buffer.from(pem));
  assert.ok(ca && own && ownCert);
  return { ...tls, files, credentials: grpc.credentials.createSsl(ca, own, ownCert, verify) };
}

test("a client without a certificate is refused, one without TLS too, and a look at the port is not told", async () => {
  await using server = of(authority);
  await using grpcServer = await start(server.tls);
  const verify = { checkServerIdentity: () => undefined };
  const credentials = grpc.credentials.createSsl(Buffer.from(authority.ca), null, null, verify);
  lines.length = 0;
  await new Promise<void>((resolve) => {
    const probe = connect(grpcServer.port, "127.0.0.1", () => probe.destroy()).once("close", () => resolve());
  });
  await refused(grpcServer.address, { ...server.tls, credentials });
  await until(() => lines.some((line) => line.includes("it shows no certificate")));
  await refused(grpcServer.address, undefined);
  await until(() => lines.some((line) => line.includes("ERR_SSL_WRONG_VERSION_NUMBER")));
  assert.equal(lines.filter((line) => line.includes("peer refused")).length, 2, lines.join(""));
});

const impostors: [sentence: string, server: () => Party, told: RegExp][] = [
  ["of another authority", () => of(other), /self.signed certificate|unable to verify/],
  ["that has expired", () => of(authority, { ...own, validTo: past }), /certificate has expired/],
  ["with other names", () => of(authority, { dnsNames: ["x.default.svc"] }), /no DNS name that ours carries/],
];
for (const [sentence, impostor, told] of impostors) {
  test(`a client refuses a server with a certificate ${sentence}, and says so`, async () => {
    await using server = impostor();
    await using grpcServer = await start(server.tls);
    await using client = of(authority);
    assert.match(await refused(grpcServer.address, client.tls), told);
  });
}

test("a client does not go on without TLS where a server speaks none, and does not hold up the server's end", async () => {
  await using grpcServer = await start(undefined);
  await using client = of(authority);
  assert.match(await refused(grpcServer.address, client.tls), /wrong version number/);
});

test("authority and certificates rotate without a restart, and an open connection goes on", async () => {
  const bundle = `${authority.ca}\n${other.ca}`;
  await using server = of(authority);
  await using client = of(authority);
  await using grpcServer = await start(server.tls);
  await using long = createClient(Health, grpcServer.address, { tls: client.tls });
  await long.check({});
  const changed = async (party: Party, files: KeyPair & { ca: string }): Promise<void> => {
    party.write(files);
    await until(() => party.tls.files.current().cert === files.cert.trim());
  };
  const pairs = { server: authority.issue(own), client: authority.issue(own) };
  await changed(server, { ...pairs.server, ca: bundle });
  await changed(client, { ...pairs.client, ca: bundle });
  await using newcomer = of(other, own, bundle);
  assert.equal(await ask(grpcServer.address, newcomer.tls), Status.SERVING, "a new client at the old server");
  await changed(server, { ...other.issue(own), ca: bundle });
  await using old = party({ ...pairs.client, ca: bundle });
  assert.equal(await ask(grpcServer.address, old.tls), Status.SERVING, "an old client at the new server");
  await changed(client, { ...other.issue(own), ca: other.ca });
  await changed(server, { ...other.issue(own), ca: other.ca });
  await using late = party({ ...pairs.client, ca: bundle });
  await refused(grpcServer.address, late.tls);
  assert.equal((await long.check({})).status, Status.SERVING, "on the connection from before");
  await using restarted = await start(server.tls);
  assert.equal(await ask(restarted.address, client.tls), Status.SERVING, "the same client on a new connection");
});

test("stopping does not wait for one who began no handshake; a port that is taken is told", async () => {
  await using server = of(authority);
  const grpcServer = await start(server.tls);
  const idle = connect(grpcServer.port, "127.0.0.1");
  const ended = new Promise<void>((resolve) => idle.on("error", () => undefined).once("close", () => resolve()));
  await new Promise<void>((resolve) => idle.once("connect", () => resolve()));
  await assert.rejects(
    startGrpc({
      host: "127.0.0.1",
      port: grpcServer.port,
      services: [],
      log,
      registry: new Registry(),
      tls: server.tls,
    }),
    /cannot listen on 127\.0\.0\.1:\d+ for gRPC: .*EADDRINUSE/,
  );
  await grpcServer[Symbol.asyncDispose]();
  await ended;
});
