// What a release is made of, in each of its profiles.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { z } from "zod";
import {
  chartFolder,
  getManifest,
  type Manifest,
  parseManifests,
  podSpecOf,
  type Profile,
  profiles,
  release,
  render,
  runChartProgram,
  template,
} from "./render.ts";

const names = Object.keys(profiles) as Profile[];
const clusterWide = new Set(["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"]);

for (const profile of names) {
  test(`${profile}: helm lint finds nothing`, async () => {
    const files = profiles[profile].flatMap((file) => ["-f", join(chartFolder, file)]);
    const { code, stdout, stderr } = await runChartProgram("helm", ["lint", "--strict", chartFolder, ...files]);
    assert.equal(code, 0, `${stdout}${stderr}`);
  });

  test(`${profile}: every object has a namespace and a name of its own`, async () => {
    const manifests = await render({ profile });
    const keys = manifests.map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ""}/${metadata.name}`);
    assert.deepEqual(
      keys.filter((key, index) => keys.indexOf(key) !== index),
      [],
    );
    const lost = manifests.filter(({ kind, metadata }) => (metadata.namespace === undefined) !== clusterWide.has(kind));
    assert.deepEqual(lost, []);
  });

  test(`${profile}: every object says to which release and part it belongs`, async () => {
    const missing = (await render({ profile })).filter(({ metadata: { labels } }) => {
      const { "app.kubernetes.io/instance": instance, "app.kubernetes.io/component": component } = labels;
      return instance !== release || component === undefined;
    });
    assert.deepEqual(missing, []);
  });

  test(`${profile}: pods are what the restricted standard asks for, and mount no token but the operator's`, async () => {
    for (const manifest of await render({ profile })) {
      const pod = podSpecOf(manifest);
      if (pod === undefined) continue;
      const { name } = manifest.metadata;
      const { securityContext, automountServiceAccountToken, containers, volumes } = pod;
      assert.equal(securityContext["runAsNonRoot"], true, name);
      assert.deepEqual(securityContext["seccompProfile"], { type: "RuntimeDefault" }, name);
      assert.equal(automountServiceAccountToken, false, name);
      assert.equal(
        JSON.stringify(volumes).includes("serviceAccountToken"),
        name.endsWith("-operator"),
        `${name} has a token`,
      );
      for (const { securityContext: own, resources } of containers) {
        assert.equal(own["allowPrivilegeEscalation"], false, name);
        assert.equal(own["readOnlyRootFilesystem"], true, name);
        assert.deepEqual(own["capabilities"], { drop: ["ALL"] }, name);
        assert.deepEqual(Object.keys(resources.limits).toSorted(), ["ephemeral-storage", "memory"], name);
        assert.deepEqual(Object.keys(resources.requests).toSorted(), ["cpu", "ephemeral-storage", "memory"], name);
      }
    }
  });

  test(`${profile}: what a pod mounts is there`, async () => {
    for (const manifest of await render({ profile })) {
      const pod = podSpecOf(manifest);
      if (pod === undefined) continue;
      const claims = z.object({ volumeClaimTemplates: z.array(z.unknown()).optional() }).parse(manifest.spec);
      const known = new Set(pod.volumes.map(({ name }) => name));
      if (claims.volumeClaimTemplates !== undefined) known.add("data");
      const mounted = pod.containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
      assert.deepEqual(new Set(mounted), known, manifest.metadata.name);
    }
  });

  test(`${profile}: every Secret and ConfigMap that a pod needs is the release's, or was named by the user`, async () => {
    const manifests = await render({ profile });
    const made = new Set(
      manifests
        .filter(({ kind }) => kind === "Secret" || kind === "ConfigMap")
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    );
    const given = new Set([
      "ConfigMap kube-root-ca.crt",
      ...(profile === "production"
        ? ["heliograph-api", "heliograph-meta-app", "heliograph-meta-verify", "wa-heliograph-postgres-app"]
        : ["wa-heliograph-tls"]
      ).map((name) => `Secret ${name}`),
    ]);
    const needed = new Set(manifests.flatMap(referencesOf));
    assert.ok(needed.size > 5);
    assert.deepEqual(
      [...needed].filter((name) => !made.has(name) && !given.has(name)),
      [],
    );
  });

  test(`${profile}: helm 3 renders the same`, async () => {
    const [four, three] = await Promise.all([template({ profile }), template({ profile, helm: "helm3" })]);
    assert.equal(three.code, 0, three.stderr);
    assert.deepEqual(sorted(parseManifests(three.stdout)), sorted(parseManifests(four.stdout)));
  });
}

const namedSchema = z.looseObject({ name: z.string() });
const secretVolumeSchema = z.looseObject({ secretName: z.string() });

/** Of a pod's volumes and variables, wherever they stand. */
function referencesOf(manifest: Manifest): string[] {
  const found: string[] = [];
  const walk = (node: unknown, key: string): void => {
    if (typeof node !== "object" || node === null) return;
    const { data: named } = namedSchema.safeParse(node);
    const { data: secret } = secretVolumeSchema.safeParse(node);
    if (secret !== undefined) found.push(`Secret ${secret.secretName}`);
    if (key === "secretKeyRef" && named !== undefined) found.push(`Secret ${named.name}`);
    if (key === "configMap" && named !== undefined) found.push(`ConfigMap ${named.name}`);
    for (const [below, value] of Object.entries(node)) walk(value, below);
  };
  walk(podSpecOf(manifest), "");
  return found;
}

/** Drawn secrets are different each time. */
function sorted(manifests: Manifest[]): string[] {
  return manifests.map((one) => JSON.stringify(one).replace(/[A-Za-z0-9]{40}(?=["@])/g, "drawn")).toSorted();
}

test("a release fits into the Secret where helm keeps it, with room", async () => {
  const { stdout } = await template({ profile: "all-on" });
  const crds = (await render()).filter(({ kind }) => kind === "CustomResourceDefinition");
  // Helm keeps the chart's files beside what they rendered to, both as JSON in base64 of gzip, and the Secret encodes that once more.
  const kept = gzipSync(stdout + JSON.stringify(crds) + readFileSync(join(chartFolder, "files/dashboards/fleet.json")));
  assert.ok((kept.length * 16) / 9 < 700 * 1_024, `${kept.length} bytes`);
});

test("CRDs come through as they are, to the last digit", async () => {
  const manifests = await render();
  for (const plural of ["whatsappnumbers", "connectionclasses", "whatsapptemplates"]) {
    const name = `${plural}.heliograph.dev`;
    const [file] = parseManifests(readFileSync(join(chartFolder, `files/crds/${plural}.yaml`), "utf8"));
    assert.deepEqual(getManifest(manifests, "CustomResourceDefinition", name).spec, file?.spec);
  }
});

test("the images are those that the chart says it uses", async () => {
  const images = (await render()).flatMap((one) => podSpecOf(one)?.containers.map(({ image }) => image) ?? []);
  const chart = readFileSync(join(chartFolder, "Chart.yaml"), "utf8");
  for (const image of new Set(images)) assert.ok(chart.includes(`image: ${image}\n`), image);
});
