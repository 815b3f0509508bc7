// What the chart puts into the processes' environment, read as they read it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readConfig as readOperator } from "#operator/config.ts";
import { readConfig as readBilling } from "../../services/billing/config.ts";
import { readConfig as readConnection } from "../../services/connection/config.ts";
import { readConfig as readGateway } from "../../services/gateway/config.ts";
import { readConfig as readMessages } from "../../services/messages/config.ts";
import { readConfig as readQuality } from "../../services/quality/config.ts";
import { readConfig as readSimulator } from "../../services/simulator/config.ts";
import { readConfig as readTemplates } from "../../services/templates/config.ts";
import { readConfig as readWebhooks } from "../../services/webhooks/config.ts";
import { getManifest, namespace, type PodSpec, podSpecOf, type Profile, profiles, release, render } from "./render.ts";

type Environment = Record<string, string>;

const readers: Record<string, (env: Environment) => unknown> = {
  gateway: readGateway,
  messages: readMessages,
  templates: readTemplates,
  billing: readBilling,
  quality: readQuality,
  webhooks: readWebhooks,
  operator: readOperator,
  simulator: readSimulator,
};

/** Read by Node and by the runtime, not by a config.ts; those of TLS by #lib. */
const foreign = new Set(["NODE_OPTIONS", "GRPC_TLS_DIR", "NATS_TLS_DIR", "DATABASE_TLS_DIR"]);

function environmentOf({ containers: [container] }: PodSpec): Environment {
  assert.ok(container);
  const entries = container.env.map(({ name, value }) => [name, value ?? "postgres://user:password@host/database"]);
  return Object.fromEntries(entries) as Environment;
}

for (const profile of Object.keys(profiles) as Profile[]) {
  test(`${profile}: every process understands its environment, and gets nothing that it does not read`, async () => {
    const manifests = await render({ profile });
    for (const [part, read] of Object.entries(readers)) {
      if (part === "simulator" && profile !== "all-on") continue;
      const pod = podSpecOf(getManifest(manifests, "Deployment", `${release}-heliograph-${part}`));
      assert.ok(pod);
      const env = environmentOf(pod);
      assert.doesNotThrow(() => read(env), part);
      const folder = part === "operator" ? part : `services/${part}`;
      const sources = [`${folder}/config.ts`, "services/lib/config.ts"]
        .map((path) => readFileSync(path, "utf8"))
        .join();
      assert.deepEqual(
        Object.keys(env).filter((name) => !foreign.has(name) && !new RegExp(`\\b${name}\\b`).test(sources)),
        [],
        part,
      );
    }
  });

  test(`${profile}: every address leads to a Service of the release, at one of its ports`, async () => {
    const manifests = await render({ profile });
    const services = new Map(
      manifests
        .filter(({ kind }) => kind === "Service")
        .map(({ metadata, spec }) => [`${metadata.name}.${namespace}.svc`, JSON.stringify(spec?.["ports"])]),
    );
    const pods = manifests.map(podSpecOf).filter((pod) => pod !== undefined);
    const values = pods.flatMap((pod) => Object.values(environmentOf(pod)));
    const addresses = values.flatMap((value) =>
      [...value.matchAll(/([a-z0-9.-]+\.svc):(\d+)/g)].map(([, host = "", port = ""]) => ({ host, port })),
    );
    assert.ok(addresses.length > 15);
    for (const { host, port } of addresses) {
      if (host.endsWith(".tracing.svc")) continue;
      assert.match(services.get(host) ?? "", new RegExp(`"port":${port}[,}]`), `${host}:${port}`);
    }
  });
}

test("what the operator puts into connection pods is enough for them", async () => {
  const pod = podSpecOf(getManifest(await render(), "Deployment", `${release}-heliograph-operator`));
  assert.ok(pod);
  const { MESSAGES_ADDRESS, TEMPLATES_ADDRESS, BILLING_ADDRESS, QUALITY_ADDRESS, NATS_URL } = environmentOf(pod);
  const given = { MESSAGES_ADDRESS, TEMPLATES_ADDRESS, BILLING_ADDRESS, QUALITY_ADDRESS, NATS_URL };
  assert.doesNotThrow(() =>
    readConnection({ ...given, PHONE_NUMBER_ID: "100", ACCESS_TOKEN_FILE: "/run/secrets/heliograph/accessToken" }),
  );
});
