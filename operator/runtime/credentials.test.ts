import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadCluster } from "./cluster.ts";
import { tokenFile } from "./credentials.ts";
import { parseKubeconfig } from "./kubeconfig.ts";

function folder() {
  const path = mkdtempSync(join(tmpdir(), "heliograph-kubeconfig-"));
  const write = (name: string, text: string): string => {
    writeFileSync(join(path, name), text, { mode: 0o700 });
    return join(path, name);
  };
  return { path, write, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

const config = (user: unknown, cluster: unknown = { server: "https://kube.example:6443/" }): string =>
  JSON.stringify({
    "current-context": "here",
    contexts: [{ name: "here", context: { cluster: "c", user: "u", namespace: "shop" } }],
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user }],
  });

test("a token file is read again after a minute, and the old token stands while it cannot be read", async () => {
  using files = folder();
  const authorization = tokenFile(files.write("token", "one\n"));
  assert.equal(await authorization.header(0), "Bearer one");
  files.write("token", "two\n");
  assert.equal(await authorization.header(59_999), "Bearer one");
  assert.equal(await authorization.header(60_000), "Bearer two");
  rmSync(join(files.path, "token"));
  assert.equal(await authorization.header(200_000), "Bearer two");
});

test("a token that the server refused is read again at once", async () => {
  using files = folder();
  const authorization = tokenFile(files.write("token", "one"));
  await authorization.header(0);
  files.write("token", "two");
  authorization.refused();
  assert.equal(await authorization.header(1), "Bearer two");
});

test("an exec plugin is asked once for as long as its token lasts", async () => {
  using files = folder();
  const answer = `{"status":{"token":"t-'$(wc -l < calls)'","expirationTimestamp":"2026-01-01T01:00:00Z"}}`;
  files.write("plugin", `#!/bin/sh\ncd ${files.path}; echo "$KUBERNETES_EXEC_INFO" >> calls; echo '${answer}'\n`);
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "./plugin", args: null, env: null };
  const { authorization } = parseKubeconfig(config({ exec }), files.path, { PATH: "/usr/bin:/bin" });
  const startMs = Date.UTC(2026, 0, 1);
  assert.equal(await authorization.header(startMs), "Bearer t-1");
  assert.equal(await authorization.header(startMs + 58 * 60_000), "Bearer t-1");
  assert.equal(await authorization.header(startMs + 59 * 60_000), "Bearer t-2");
});

test("of several files the first that names a thing wins, and their paths are their own", async () => {
  using files = folder();
  const first = files.write("first", JSON.stringify({ users: [{ name: "u", user: { tokenFile: "token" } }] }));
  const second = files.write("second", config({ token: "other" }));
  files.write("token", "mine");
  const { url, namespace, authorization } = loadCluster({ env: { KUBECONFIG: `${first}:${second}` } });
  assert.deepEqual([url, namespace], ["https://kube.example:6443", "shop"]);
  assert.equal(await authorization.header(0), "Bearer mine");
});

const refusals: [text: string, message: RegExp][] = [
  [config({ "auth-provider": { name: "gcp" } }), /user "u": auth-provider: is not supported, exec is/],
  [config({}, { server: "https://a", "proxy-url": "http://b" }), /cluster "c": proxy-url: is not supported/],
  [config({}, {}), /cluster "c": server/],
  ["{}", /no current-context/],
];
for (const [text, message] of refusals) {
  test(`a kubeconfig is refused with ${message.source}`, () => assert.throws(() => parseKubeconfig(text), message));
}
