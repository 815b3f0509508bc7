// The table of the chart's values, as its README shows it, made from the comments in values.yaml.
// `node test/chart/values-table.ts` writes it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMap, isScalar, type Pair, parseDocument, type YAMLMap } from "yaml";
import { chartFolder } from "./render.ts";

type Row = { path: string; value: string; comment: string };

const begin = "<!-- values: made by test/chart/values-table.ts from values.yaml -->";
const end = "<!-- end of values -->";
const readme = join(chartFolder, "README.md");

/** A row for each value. Throws at one without a comment. */
export function valueRows(): Row[] {
  const { contents } = parseDocument(readFileSync(join(chartFolder, "values.yaml"), "utf8"));
  if (!isMap(contents)) throw new Error("values.yaml is no map");
  return rowsOf(contents, "");
}

function rowsOf(map: YAMLMap, prefix: string): Row[] {
  return map.items.flatMap((pair, index) => {
    const path = `${prefix}${keyOf(pair)}`;
    const comment = commentOf(map, pair, index);
    const { value } = pair;
    if (isMap(value) && hasComments(value))
      return [...(comment === "" ? [] : [{ path, value: "", comment }]), ...rowsOf(value, `${path}.`)];
    if (comment === "") throw new Error(`${path} in values.yaml has no comment`);
    return [
      {
        path,
        value: JSON.stringify(map.get(pair.key, true)?.toJSON() ?? (isMap(value) ? value.toJSON() : null)),
        comment,
      },
    ];
  });
}

/** Somewhere below: else the map is one value, told by its own comment. */
function hasComments(map: YAMLMap): boolean {
  return map.items.some(
    (child, index) => commentOf(map, child, index) !== "" || (isMap(child.value) && hasComments(child.value)),
  );
}

function keyOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : "";
}

/** The comment above the first key of a map hangs on the map. */
function commentOf(map: YAMLMap, { key }: Pair, index: number): string {
  const own = isScalar(key) ? key.commentBefore : undefined;
  const above = own ?? (index === 0 ? map.commentBefore : undefined) ?? "";
  // After an empty line a comment speaks of something else.
  const last = above.split(/\n\s*\n/).at(-1) ?? "";
  return last.replaceAll(/\s+/g, " ").trim();
}

/** README.md as it should be. */
export function readmeWithTable(): string {
  const text = readFileSync(readme, "utf8");
  const cell = (content: string): string => content.replaceAll("|", "\\|");
  const lines = valueRows().map(({ path, value, comment }) =>
    value === ""
      ? `| **\`${path}\`** | | ${cell(comment)} |`
      : `| \`${path}\` | \`${cell(value)}\` | ${cell(comment)} |`,
  );
  const table = ["| value | default | what it is |", "| --- | --- | --- |", ...lines].join("\n");
  return text.replace(new RegExp(`${begin}[^]*${end}`), () => `${begin}\n${table}\n${end}`);
}

if (import.meta.main) writeFileSync(readme, readmeWithTable());
