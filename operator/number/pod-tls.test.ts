import assert from "node:assert/strict";
import { test } from "node:test";
import { isRecord } from "../runtime/objects.ts";
import { defaultClassSpec } from "./class.ts";
import { podOf, specHashOf } from "./pod.ts";
import { podTlsOf, type TlsSecrets } from "./pod-tls.ts";
import { numberWith, settings } from "./test-facts.ts";

function inputWith(tlsSecrets: TlsSecrets) {
  const input = { number: numberWith(), classSpec: defaultClassSpec, tokenSecret: "fjord", upstreamUrl: undefined };
  return { ...input, settings: { ...settings, tlsSecrets } };
}

test("a pod mounts the Secrets and tells the process where; one without them is as before", () => {
  assert.deepEqual(podTlsOf({ grpc: "wa-tls", nats: "nats-tls" }), {
    env: [
      { name: "GRPC_TLS_DIR", value: "/etc/heliograph/tls/grpc" },
      { name: "NATS_TLS_DIR", value: "/etc/heliograph/tls/nats" },
    ],
    volumes: [
      { name: "grpc-tls", secret: { secretName: "wa-tls", defaultMode: 0o440 } },
      { name: "nats-tls", secret: { secretName: "nats-tls", defaultMode: 0o440 } },
    ],
    volumeMounts: [
      { name: "grpc-tls", mountPath: "/etc/heliograph/tls/grpc", readOnly: true },
      { name: "nats-tls", mountPath: "/etc/heliograph/tls/nats", readOnly: true },
    ],
  });
  const none = { grpc: undefined, nats: undefined };
  assert.equal(specHashOf(inputWith(none)), specHashOf({ ...inputWith(none), settings }));
});

test("the pod has what they need, beside what it always has", () => {
  const { spec } = podOf(inputWith({ grpc: "wa-tls" }), "hash", 1, []);
  assert.ok(isRecord(spec));
  const text = JSON.stringify(spec);
  for (const part of ["wa-tls", "/etc/heliograph/tls/grpc", "GRPC_TLS_DIR", "ACCESS_TOKEN_FILE", "credentials"])
    assert.ok(text.includes(part), part);
  assert.ok(!text.includes("NATS_TLS_DIR"));
});
