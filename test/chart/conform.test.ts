// The judgement of others: Kubernetes' own descriptions by kubeconform, habits by kube-score, the chart's suite by helm-unittest.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { findOpenApi } from "#test/env/kube-openapi.ts";
import { locationOf, writeKubernetesSchemas, writeOwnSchemas } from "./json-schemas.ts";
import { chartFolder, parseManifests, type Profile, profiles, runChartProgram, template } from "./render.ts";

const names = Object.keys(profiles) as Profile[];
const kubernetesVersions = ["1.34.4", "1.35.4", "1.36.3", "1.37.2"];
/** Kinds of others, which come with their own operators. */
const foreign = "Certificate,Cluster,HTTPRoute,PodMonitor";
const ownKinds = new Set([
  "ConnectionClass",
  "WebhookSubscription",
  "WhatsAppBusinessAccount",
  "WhatsAppNumber",
  "WhatsAppTemplate",
]);
const leastAssertions = 150;

describe("kubeconform", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "heliograph-schemas-"));
    writeOwnSchemas(join(folder, "own"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function conform(file: string, text: string, version: string): Promise<string> {
    const path = join(folder, `${file}.yaml`);
    writeFileSync(path, text);
    const kinds = new Set(parseManifests(text).map(({ kind }) => kind));
    const schemas = join(folder, version);
    writeKubernetesSchemas(
      await findOpenApi(version, (line) => void process.stderr.write(`${line}\n`)),
      kinds,
      schemas,
    );
    const locations = [locationOf(schemas), locationOf(join(folder, "own"))];
    const args = [
      "-strict",
      "-summary",
      "-skip",
      foreign,
      ...locations.flatMap((one) => ["-schema-location", one]),
      path,
    ];
    const { code, stdout, stderr } = await runChartProgram("kubeconform", args);
    return code === 0 ? "" : `${stdout}${stderr}`;
  }

  for (const version of kubernetesVersions) {
    for (const profile of names) {
      test(`${profile}: every object is one of Kubernetes ${version}`, async () => {
        const { stdout } = await template({ profile });
        assert.equal(await conform(profile, stdout, version), "");
      });
    }
  }

  test("the resources that people apply are ones of our CRDs", async () => {
    const samples = readdirSync("deploy/samples").map((name) => readFileSync(join("deploy/samples", name), "utf8"));
    const text = samples.join("\n---\n");
    assert.deepEqual(
      new Set(
        parseManifests(text)
          .map(({ kind }) => kind)
          .filter((kind) => kind !== "Secret"),
      ),
      ownKinds,
    );
    assert.equal(await conform("samples", text, "1.36.3"), "");
  });

  test("it would notice: a misspelt field, a number for a text", async () => {
    const { stdout } = await template();
    assert.match(await conform("misspelt", stdout.replace("replicas: 1", "replica: 1"), "1.36.3"), /replica/);
    const number = readFileSync("deploy/samples/numbers.yaml", "utf8").replace('"106540352242922"', "106540352242922");
    assert.match(await conform("number", number, "1.36.3"), /phoneNumberId/);
  });
});

for (const profile of names) {
  test(`${profile}: kube-score finds nothing but what is excused, with a reason each`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "heliograph-score-"));
    try {
      const { stdout } = await template({ profile });
      writeFileSync(join(folder, "release.yaml"), stdout);
      const args = ["score", "--kubernetes-version", "v1.36", "--output-format", "ci", join(folder, "release.yaml")];
      const scored = await runChartProgram("kube-score", args);
      const found = scored.stdout.split("\n").filter((line) => /^\[(?:WARNING|CRITICAL)\]/.test(line));
      assert.deepEqual(found, []);
      for (const { kind, metadata } of parseManifests(stdout)) {
        const excused = (metadata.annotations["kube-score/ignore"] ?? "").split(",").filter(Boolean);
        const reasons = metadata.annotations["heliograph.dev/kube-score-reasons"] ?? "";
        for (const check of excused) assert.ok(reasons.includes(`${check}: `), `${kind} ${metadata.name}: ${check}`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test(`the chart's own suite passes, and has at least ${leastAssertions} assertions`, async () => {
  const snapshots = join(chartFolder, "tests/__snapshot__");
  const wasThere = existsSync(snapshots);
  const { code, stdout, stderr } = await runChartProgram("helm-unittest", ["--strict", chartFolder]);
  // It makes the folder even where no suite has a snapshot.
  if (!wasThere && existsSync(snapshots)) rmdirSync(snapshots);
  assert.equal(code, 0, `${stdout}${stderr}`);
  assert.ok(countAssertions() >= leastAssertions, `${countAssertions()} assertions`);
});

function countAssertions(): number {
  const suite = z.object({ tests: z.array(z.looseObject({ asserts: z.array(z.unknown()) })) });
  const files = readdirSync(join(chartFolder, "tests")).filter((name) => name.endsWith("_test.yaml"));
  return files
    .flatMap((name) => suite.parse(parse(readFileSync(join(chartFolder, "tests", name), "utf8"))).tests)
    .reduce((sum, { asserts }) => sum + asserts.length, 0);
}
