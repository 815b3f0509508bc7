// The dashboards ask for metrics that the processes have.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { dashboardNames, readDashboard } from "./dashboard-files.ts";

const sources = globSync(["services/**/*.ts", "operator/**/*.ts"], { exclude: ["**/*.test.ts"] })
  .map((path) => readFileSync(path, "utf8"))
  .join("\n");
/** Made by prom-client, and by one helper that puts the prefix in front. */
const known = (name: string): boolean =>
  sources.includes(`"${name}"`) ||
  sources.includes(`"${name.replace(/^heliograph_connection_/, "")}",`) ||
  ["process_resident_memory_bytes", "nodejs_eventloop_lag_p99_seconds"].includes(name);

/** Names in a query, without labels, functions and words of the language. */
function metricsOf(expr: string): string[] {
  const bare = expr.replaceAll(/\{[^}]*\}/g, "").replaceAll(/\[[^\]]*\]/g, "");
  const grouped = bare.replaceAll(/\b(?:by|without)\s*\([^)]*\)/g, "");
  return [...grouped.matchAll(/\b[a-z][a-z0-9_]*_[a-z0-9_]+\b(?!\s*\()/g)].map(([name]) => name);
}

for (const name of dashboardNames) {
  const { panels, templating } = readDashboard(name);

  test(`${name}: every metric exists`, () => {
    const asked = new Set(panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => metricsOf(expr))));
    assert.ok(asked.size > 5);
    assert.deepEqual(
      [...asked].filter((metric) => !known(metric.replace(/_(?:bucket|count|sum)$/, ""))),
      [],
    );
  });

  test(`${name}: every variable is declared, and every series is of the chosen namespace`, () => {
    const declared = new Set(templating.list.map((variable) => variable.name));
    for (const { title, targets } of panels) {
      for (const { expr } of targets) {
        const used = [...expr.matchAll(/\$([a-z]\w*)/g)].map(([, variable = ""]) => variable);
        assert.deepEqual(
          used.filter((variable) => !declared.has(variable)),
          [],
          title,
        );
        if (expr !== "vector(20)") assert.ok(used.includes("namespace"), `${title}: ${expr}`);
      }
    }
  });

  test(`${name}: panels have ids of their own and do not overlap`, () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    assert.equal(new Set(cells).size, cells.length);
  });
}
