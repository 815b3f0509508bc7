// Each CEL rule of our CRDs on the real API server and in the local runner: both let the same pass, and refuse in the same words.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkDocument } from "#local/checkers.ts";
import { isTransition } from "#local/cel.ts";
import { sharedKube } from "#test/env/kube.ts";
import { accessKube, installCrds, makeNamespace } from "#test/env/kube-objects.ts";
import { loadKinds, type SchemaNode } from "./crds.ts";
import { type Change, changed, type KindCases, kindCases, type RuleCase } from "./test-rules.ts";
import { type Api, causesOf, openApi } from "./test-api.ts";

const apiVersion = "heliograph.dev/v1alpha1";
const kinds = loadKinds();
let api: Api;
let namespace: string;

before(async () => {
  const kube = await sharedKube();
  await using admin = accessKube(kube);
  await installCrds(admin);
  namespace = await makeNamespace(admin);
  api = openApi(kube);
});
after(() => api[Symbol.asyncDispose]());

type DeclaredRule = { kind: string; name: string; rule: string };

const declaredRules: DeclaredRule[] = kinds.flatMap(({ kind, schema }) => rulesOf(schema, kind, ""));

function rulesOf(node: SchemaNode, kind: string, path: string): DeclaredRule[] {
  const own = (node["x-kubernetes-validations"] ?? []).map(({ rule, message, fieldPath = "" }) => ({
    kind,
    name: `${`${path}${fieldPath}`.slice(1)}: ${message}`,
    rule,
  }));
  const { properties = {}, items, additionalProperties } = node;
  return [
    ...own,
    ...Object.entries(properties).flatMap(([name, child]) => rulesOf(child, kind, `${path}.${name}`)),
    ...(items === undefined ? [] : rulesOf(items, kind, `${path}[]`)),
    ...(additionalProperties === undefined ? [] : rulesOf(additionalProperties, kind, `${path}[]`)),
  ];
}

test("every rule has a case, and every case a rule", () => {
  const cases = kindCases.flatMap(({ kind, rules }) => rules.map(({ rule }) => `${kind} ${rule}`));
  assert.deepEqual(cases.toSorted(), declaredRules.map(({ kind, name }) => `${kind} ${name}`).toSorted());
  assert.equal(new Set(cases).size, cases.length, "two rules that say the same cannot be told apart");
});

for (const kind of kindCases) {
  for (const rule of kind.rules) {
    test(`${kind.kind} ${rule.rule}`, () =>
      isAboutChange(kind, rule) ? checkChange(kind, rule) : checkNew(kind, rule));
  }
}

function isAboutChange({ kind }: KindCases, { rule }: RuleCase): boolean {
  return declaredRules.some(
    (declared) => declared.kind === kind && declared.name === rule && isTransition(declared.rule),
  );
}

async function checkNew(kind: KindCases, { rule, good, bad }: RuleCase): Promise<void> {
  const objectOf = (change: Change): Change => changed({ apiVersion, kind: kind.kind, ...kind.valid }, change);
  assert.deepEqual(await createCauses(kind, objectOf(good)), [], "the good one at the server");
  assert.deepEqual(faultsInRunner(objectOf(good)), [], "the good one in the runner");
  const causes = await createCauses(kind, objectOf(bad));
  assert.deepEqual(causes.map(withoutIndexes), [rule], "the bad one at the server");
  assert.deepEqual(faultsInRunner(objectOf(bad)), causes, "the bad one in the runner, in the same words");
}

function withoutIndexes(cause: string): string {
  return cause.replaceAll(/\[\d+\]/g, "[]");
}

function faultsInRunner(object: Change): string[] {
  const checked = checkDocument(object);
  return "faults" in checked ? checked.faults : [];
}

async function createCauses(kind: KindCases, object: Change): Promise<string[]> {
  const query = { dryRun: "All", fieldValidation: "Strict" };
  return causesOf(await api.send("POST", pathOf(kind), { body: object, query }));
}

function pathOf({ plural, isClusterWide = false }: KindCases): string {
  return `/apis/${apiVersion}${isClusterWide ? "" : `/namespaces/${namespace}`}/${plural}`;
}

let objects = 0;

async function checkChange(kind: KindCases, { rule, good, bad }: RuleCase): Promise<void> {
  objects += 1;
  const metadata = { name: `changes-${objects}` };
  const object = changed({ apiVersion, kind: kind.kind, ...kind.valid }, { metadata });
  assert.deepEqual(causesOf(await api.send("POST", pathOf(kind), { body: object })), []);
  const patch = async (change: Change): Promise<string[]> =>
    causesOf(
      await api.send("PATCH", `${pathOf(kind)}/${metadata.name}`, {
        body: change,
        query: { dryRun: "All" },
        contentType: "application/merge-patch+json",
      }),
    );
  assert.deepEqual(await patch(good), [], "the good change");
  assert.deepEqual(await patch(bad), [rule], "the bad change");
  const field = rule.slice("spec.".length, rule.indexOf(":")).split(".").toReversed();
  const removal = field.reduce<unknown>((inner, name) => ({ [name]: inner }), null);
  const [cause] = await patch({ spec: removal });
  assert.equal(cause, `${rule.slice(0, rule.indexOf(":"))}: Required value`, "it cannot be taken out and set again");
  assert.deepEqual(faultsInRunner(changed(object, bad)), [], "the runner knows no before");
}
