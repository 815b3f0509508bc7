import assert from "node:assert/strict";
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Registry } from "prom-client";
import { createAuthority, type KeyPair, writeTlsFolder } from "#test/env/certificates.ts";
import { until } from "#test/until.ts";
import { ConfigError } from "./config.ts";
import { createLog } from "./log.ts";
import { openTls } from "./tls.ts";
import { openTlsFiles, type TlsFiles } from "./tls-files.ts";

const base = mkdtempSync(join(tmpdir(), "heliograph-tls-"));
after(() => rmSync(base, { recursive: true }));
const authority = createAuthority("authority one");
const names = { dnsNames: ["wa-messages.default.svc", "*.default.svc"] };
const pair = authority.issue(names);
const lines: string[] = [];
const log = createLog({ service: "test", level: "info", destination: { write: (line) => void lines.push(line) } });
const variable = "GRPC_TLS_DIR";
let folders = 0;

function newFolder(files: KeyPair & { ca: string } = { ...pair, ca: authority.ca }): string {
  folders += 1;
  const folder = join(base, String(folders));
  writeTlsFolder(folder, files);
  return folder;
}

function open(folder: string): TlsFiles {
  return openTlsFiles({ variable, folder, needsName: true, log });
}

test("what the folder holds is read, and the names of the certificate without wildcards", () => {
  const { ca, cert, key, dnsNames, validTo } = open(newFolder()).current();
  assert.deepEqual({ ca, cert, key }, { ca: authority.ca.trim(), cert: pair.cert.trim(), key: pair.key.trim() });
  assert.deepEqual(dnsNames, ["wa-messages.default.svc"]);
  assert.ok(validTo > new Date());
});

const faults: [sentence: string, spoil: (folder: string) => void, expected: RegExp][] = [
  [
    "no certificate",
    (folder) => unlinkSync(join(folder, "tls.crt")),
    /^GRPC_TLS_DIR: .*tls\.crt cannot be read: ENOENT/,
  ],
  ["an empty key", (folder) => writeFileSync(join(folder, "tls.key"), ""), /^GRPC_TLS_DIR: .*tls\.key is empty$/],
  ["no key", (folder) => writeFileSync(join(folder, "tls.key"), pair.cert), /tls\.key holds no private key, or/],
  [
    "an authority that is none",
    (folder) => writeFileSync(join(folder, "ca.crt"), "x"),
    /ca\.crt holds no certificate$/,
  ],
  [
    "a certificate cut off",
    (folder) => writeFileSync(join(folder, "tls.crt"), pair.cert.replace(/MII[^\n]*\n/, "")),
    /tls\.crt holds what is no certificate: /,
  ],
  [
    "the key of another certificate",
    (folder) => writeFileSync(join(folder, "tls.key"), authority.issue(names).key),
    /tls\.key is not the key of tls\.crt$/,
  ],
  [
    "no name",
    (folder) => writeTlsFolder(folder, { ...authority.issue({ ips: ["10.0.0.1"] }), ca: authority.ca }),
    /tls\.crt carries no DNS name, by which peers know each other$/,
  ],
];
for (const [sentence, spoil, expected] of faults) {
  test(`${sentence} is a fault of the configuration that names variable and file, and no key`, () => {
    const folder = newFolder();
    spoil(folder);
    assert.throws(
      () => open(folder),
      (error) => {
        assert.ok(error instanceof ConfigError);
        const [fault = "", ...others] = error.faults;
        assert.deepEqual(others, []);
        assert.match(fault, expected);
        assert.ok(fault.startsWith(variable) && fault.includes(folder) && !fault.includes("KEY"), fault);
        return true;
      },
    );
  });
}

test("faults of all folders are told at once", () => {
  const missing = join(base, "missing");
  const config = { GRPC_TLS_DIR: missing, NATS_TLS_DIR: newFolder(), DATABASE_TLS_DIR: missing };
  assert.throws(
    () => openTls(config, { log }),
    (error) => {
      assert.ok(error instanceof ConfigError);
      const told = error.faults.map((fault) => fault.replace(/:.*\/missing\/([\w.]+) .*/, " $1"));
      const files = ["ca.crt", "tls.crt", "tls.key"];
      assert.deepEqual(
        told,
        ["GRPC_TLS_DIR", "DATABASE_TLS_DIR"].flatMap((name) => files.map((file) => `${name} ${file}`)),
      );
      return true;
    },
  );
});

test("a certificate without names will do where peers are known by their address", async () => {
  const folder = newFolder({ ...authority.issue({ commonName: "heliograph" }), ca: authority.ca });
  await using tls = openTls({ NATS_TLS_DIR: folder, DATABASE_TLS_DIR: folder }, { log });
  assert.equal(tls.grpc, undefined);
  assert.ok(tls.nats !== undefined && tls.database !== undefined);
});

test("files that were swapped are read and followers told; files that cannot be used are told once, and the last ones stay", async () => {
  const folder = newFolder();
  await using tls = openTls({ [variable]: folder }, { log, lookEveryMs: 50 });
  const files = tls.grpc?.files;
  assert.ok(files);
  const told: string[] = [];
  const stop = files.follow(({ cert }) => void told.push(cert));
  const second = authority.issue(names);
  writeTlsFolder(folder, { ...second, ca: authority.ca });
  await until(() => files.current().cert === second.cert.trim());
  lines.length = 0;
  writeTlsFolder(folder, { ...second, key: pair.key, ca: authority.ca });
  await until(() => lines.some((line) => line.includes("not the key")));
  const third = authority.issue(names);
  writeTlsFolder(folder, { ...third, ca: authority.ca });
  await until(() => files.current().cert === third.cert.trim());
  assert.equal(lines.filter((line) => line.includes("not the key")).length, 1);
  assert.deepEqual(told, [second.cert.trim(), third.cert.trim()]);
  stop();
  assert.ok(!lines.join("").includes("PRIVATE KEY"));
});

test("a certificate's end is told once, as it comes near and when it is over, and shown as a metric", async () => {
  const validFrom = new Date("2026-01-01T00:00:00Z");
  const validTo = new Date("2026-01-11T00:00:00Z");
  const folder = newFolder({ ...authority.issue({ ...names, validFrom, validTo }), ca: authority.ca });
  const files = open(folder);
  lines.length = 0;
  const days = ["2025-12-31", "2026-01-09", "2026-01-10T01:00", "2026-01-10T02:00", "2026-01-12", "2026-01-13"];
  for (const day of days) files.look(new Date(`${day}Z`));
  const told = lines.map((line) => /"message":"(.*?)"/.exec(line)?.[1]);
  assert.deepEqual(told, [
    "certificate is not valid yet",
    "certificate expires soon and was not renewed",
    "certificate has expired",
  ]);
  assert.ok(lines.every((line) => line.includes(folder) && line.includes(variable)));
  const registry = new Registry();
  await using _ = openTls({ [variable]: folder }, { log, registry });
  assert.match(
    await registry.metrics(),
    new RegExp(`tls_certificate_expires_at_seconds{variable="${variable}"} ${validTo.getTime() / 1_000}`),
  );
});
