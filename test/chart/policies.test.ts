// The network policies against what the parts are told to connect to.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { getManifest, type Manifest, namespace, podSpecOf, type Profile, release, render } from "./render.ts";

const peerSchema = z.looseObject({
  podSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }).optional(),
});
const portSchema = z.object({ protocol: z.string(), port: z.number() });
const ruleSchema = z.strictObject({
  from: z.array(peerSchema).optional(),
  to: z.array(peerSchema).optional(),
  ports: z.array(portSchema).optional(),
});
const policySchema = z.looseObject({
  podSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
  ingress: z.array(ruleSchema).nullable(),
  egress: z.array(ruleSchema),
});

type Policy = { part: string; ingress: Edge[]; egress: Edge[] };
/** One port of one peer; `part` is undefined where anybody is meant. */
type Edge = { part: string | undefined; port: number };

const component = "app.kubernetes.io/component";

function policyOf({ spec }: Manifest): Policy {
  const { podSelector, ingress, egress } = policySchema.parse(spec);
  const edges = (rules: z.infer<typeof ruleSchema>[]): Edge[] =>
    rules.flatMap(({ from, to, ports = [] }) =>
      (from ?? to ?? [{}]).flatMap(({ podSelector: peer }) =>
        ports.map(({ port }) => ({ part: peer?.matchLabels[component], port })),
      ),
    );
  return {
    part: podSelector.matchLabels[component] ?? "",
    ingress: edges(ingress ?? []),
    egress: edges(egress),
  };
}

async function policies(profile: Profile): Promise<Map<string, Policy>> {
  const found = (await render({ profile })).filter(({ kind }) => kind === "NetworkPolicy").map(policyOf);
  return new Map(found.map((policy) => [policy.part, policy]));
}

const profilesToTry: Profile[] = ["default", "production", "all-on"];

for (const profile of profilesToTry) {
  test(`${profile}: whoever may connect to a part is let in by it`, async () => {
    const all = await policies(profile);
    for (const { part, egress } of all.values()) {
      for (const { part: peer, port } of egress) {
        const other = peer === undefined ? undefined : all.get(peer);
        if (other === undefined) continue;
        const isIn = other.ingress.some(
          (edge) => (edge.part === part || edge.part === undefined) && edge.port === port,
        );
        assert.ok(isIn, `${part} may go to ${peer}:${port}, which does not let it in`);
      }
    }
  });

  test(`${profile}: a part lets in only who may go there`, async () => {
    const all = await policies(profile);
    for (const { part, ingress } of all.values()) {
      for (const { part: peer, port } of ingress) {
        if (peer === undefined) continue;
        const isOut = all.get(peer)?.egress.some((edge) => edge.port === port && edge.part === part);
        // Webhooks go out to anywhere.
        assert.ok(isOut === true || peer === "webhooks", `${part} lets in ${peer}:${port}, which may not go there`);
      }
    }
  });

  test(`${profile}: every address in a part's environment may be gone to`, async () => {
    const all = await policies(profile);
    for (const manifest of await render({ profile })) {
      const part = manifest.metadata.labels[component] ?? "";
      const env = podSpecOf(manifest)?.containers.flatMap((one) => one.env) ?? [];
      for (const { name, value = "" } of env) {
        const [, target, port] =
          new RegExp(`${release}-heliograph-(\\w+)\\.${namespace}\\.svc:(\\d+)`).exec(value) ?? [];
        // BILLING_ADDRESS of the operator is for its pods. The gateway's Service counts other ports than its pods.
        if (target === undefined || target === "gateway" || (part === "operator" && name === "BILLING_ADDRESS"))
          continue;
        if (part === "operator" && name === "UPSTREAM_URL") continue;
        const isOpen = all.get(part)?.egress.some((edge) => edge.part === target && edge.port === Number(port));
        assert.ok(isOpen, `${part} needs ${name}, ${target}:${port}`);
      }
    }
  });
}

test("nothing from outside of the release reaches anything but the gateway, metrics aside", async () => {
  for (const { part, ingress } of (await policies("production")).values()) {
    const open = ingress.filter((edge) => edge.part === undefined && edge.port !== 8_080);
    assert.deepEqual(open, part === "gateway" ? [{ part: undefined, port: 8_400 }] : []);
  }
});

test("metrics are for the monitoring namespace", async () => {
  const spec = JSON.stringify(getManifest(await render(), "NetworkPolicy", `${release}-heliograph-messages`).spec);
  assert.ok(spec.includes('"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"monitoring"}}'));
});
