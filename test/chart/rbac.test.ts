// The chart gives the operator the rights that operator/rbac.ts lists, and no others.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { clusterRules, leaseRules, namespacedRules, type PolicyRule } from "#operator/rbac.ts";
import { getManifest, type Manifest, namespace, release, render } from "./render.ts";

const operator = `${release}-heliograph-operator`;
const clusterOperator = `${namespace}-${operator}`;

const ruleSchema = z.strictObject({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  verbs: z.array(z.string()),
});
const bindingSchema = z.looseObject({
  roleRef: z.looseObject({ kind: z.string(), name: z.string() }),
  subjects: z.array(z.strictObject({ kind: z.string(), name: z.string(), namespace: z.string() })),
});

function rulesOf(manifest: Manifest): PolicyRule[] {
  return z.array(ruleSchema).parse(manifest["rules"]);
}

/** Without the order, which means nothing. */
function plain(rules: readonly PolicyRule[]): string[] {
  return rules
    .map(({ apiGroups, resources, verbs }) =>
      [apiGroups, resources, verbs].map((list) => list.toSorted().join()).join(" | "),
    )
    .toSorted();
}

test("in one namespace: a Role there, a ClusterRole for what has no namespace, a Role for the Lease", async () => {
  const manifests = await render();
  assert.deepEqual(plain(rulesOf(getManifest(manifests, "Role", operator))), plain(namespacedRules));
  assert.deepEqual(plain(rulesOf(getManifest(manifests, "ClusterRole", clusterOperator))), plain(clusterRules));
  assert.deepEqual(plain(rulesOf(getManifest(manifests, "Role", `${operator}-lease`))), plain(leaseRules));
});

test("in all namespaces: the same by a ClusterRole", async () => {
  const manifests = await render({ set: { operator: { scope: "Cluster" } } });
  const rules = rulesOf(getManifest(manifests, "ClusterRole", clusterOperator));
  assert.deepEqual(plain(rules), plain([...clusterRules, ...namespacedRules]));
  assert.deepEqual(plain(rulesOf(getManifest(manifests, "Role", `${operator}-lease`))), plain(leaseRules));
  assert.equal(
    manifests.some(({ kind, metadata }) => kind === "Role" && metadata.name === operator),
    false,
  );
});

test("only the operator's account is bound to anything, and every binding leads to a role of the release", async () => {
  const manifests = await render({ profile: "all-on" });
  const bindings = manifests.filter(({ kind }) => kind.endsWith("RoleBinding"));
  assert.ok(bindings.length >= 2);
  for (const binding of bindings) {
    const { roleRef, subjects } = bindingSchema.parse(binding);
    assert.deepEqual(subjects, [{ kind: "ServiceAccount", name: operator, namespace }]);
    getManifest(manifests, roleRef.kind, roleRef.name);
  }
});

test("people's roles reach no status and no finalizers", async () => {
  const people = (await render()).filter(({ metadata }) =>
    Object.keys(metadata.labels).some((label) => label.startsWith("rbac.authorization.k8s.io/aggregate-to-")),
  );
  assert.equal(people.length, 2);
  for (const role of people) {
    for (const { apiGroups, resources, verbs } of rulesOf(role)) {
      assert.deepEqual(apiGroups, ["heliograph.dev"]);
      assert.deepEqual(
        resources.filter((name) => name.includes("/")),
        [],
      );
      assert.equal(verbs.includes("*"), false);
    }
  }
});
