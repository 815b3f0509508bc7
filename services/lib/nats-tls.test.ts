import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { createAuthority, writeTlsFolder } from "#test/env/certificates.ts";
import { testLog } from "#test/env/log.ts";
import { privateNats } from "#test/env/nats.ts";
import { startTlsNats, tlsFolder } from "#test/env/tls-stores.ts";
import { until } from "#test/until.ts";
import { createLog } from "./log.ts";
import { connectNats } from "./nats.ts";
import { openTls } from "./tls.ts";

const authority = createAuthority("authority one");
const other = createAuthority("authority two");
const names = { ips: ["127.0.0.1"] };
const serverFolder = tlsFolder("nats");
writeTlsFolder(serverFolder, { ...authority.issue(names), ca: authority.ca });
const server = await startTlsNats(serverFolder);
after(() => server[Symbol.asyncDispose]());

function open(files: Parameters<typeof writeTlsFolder>[1]) {
  const folder = tlsFolder("client");
  writeTlsFolder(folder, files);
  return { folder, ...openTls({ NATS_TLS_DIR: folder }, { log: testLog, lookEveryMs: 50 }) };
}

/** What the log says while it is tried in vain. */
async function reasonOfFailure(url: string, files: Parameters<typeof writeTlsFolder>[1]): Promise<string> {
  await using tls = open(files);
  const lines: string[] = [];
  const log = createLog({ service: "test", level: "info", destination: { write: (line) => void lines.push(line) } });
  const stop = new AbortController();
  const connecting = connectNats({ url, name: "test", log, signal: stop.signal, tls: tls.nats });
  connecting.catch(() => undefined);
  await until(() => lines.length > 0, { timeoutMs: 30_000 });
  stop.abort();
  await assert.rejects(connecting);
  return lines.join("");
}

test("a client with a certificate speaks", async () => {
  await using tls = open({ ...authority.issue({}), ca: authority.ca });
  await using nats = await connectNats({ url: server.url, name: "test", log: testLog, tls: tls.nats });
  assert.equal(nats.info?.tls_required, true);
  await nats.flush();
});

test("one without a certificate is refused, one with another authority's too, and the log says why", async () => {
  await assert.rejects(connect({ servers: server.url, reconnect: false, tls: { ca: authority.ca } }));
  const stranger = await reasonOfFailure(server.url, { ...other.issue({}), ca: authority.ca });
  assert.match(stranger, /"reason":"[^"]+/);
  assert.ok(!stranger.includes("PRIVATE KEY"));
});

test("a server that ca.crt does not vouch for is refused, and one without TLS", async () => {
  const mine = authority.issue({});
  assert.match(await reasonOfFailure(server.url, { ...mine, ca: other.ca }), /certificate/);
  await using plain = await privateNats();
  assert.match(await reasonOfFailure(plain.url, { ...mine, ca: authority.ca }), /does not support 'tls'/);
});

test("a server whose certificate is another host's is refused, and one of localhost is no other address'", async () => {
  const folder = tlsFolder("nats");
  writeTlsFolder(folder, { ...authority.issue({ dnsNames: ["nats.example", "localhost"] }), ca: authority.ca });
  await using elsewhere = await startTlsNats(folder);
  const mine = { ...authority.issue({}), ca: authority.ca };
  assert.match(await reasonOfFailure(elsewhere.url, mine), /does not match certificate/);
  await using tls = open(mine);
  const url = `${elsewhere.url.replace("127.0.0.1", "localhost")},nats://127.0.0.1:1`;
  await using nats = await connectNats({ url, name: "test", log: testLog, tls: tls.nats });
  await nats.flush();
});

test("after a rotation of both sides a client that was not restarted connects anew", async () => {
  await using tls = open({ ...authority.issue({}), ca: authority.ca });
  await using nats = await connectNats({ url: server.url, name: "test", log: testLog, tls: tls.nats });
  const mine = other.issue({});
  writeTlsFolder(tls.folder, { ...mine, ca: other.ca });
  await until(() => tls.nats?.current().cert === mine.cert.trim());
  await nats.flush();
  writeTlsFolder(serverFolder, { ...other.issue(names), ca: other.ca });
  const reconnected = (async () => {
    for await (const { type } of nats.status()) if (type === "reconnect") return;
  })();
  await server.restart();
  await reconnected;
  await nats.flush();
});
