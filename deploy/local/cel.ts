// The CEL rules of our CRDs, as the API server evaluates them when a resource is created. Rules about a change (oldSelf) need what
// was there before and are not asked.
import { type CelInput, celEnv, celFunc, celMethod, CelScalar, isCelError, listType, parse, plan } from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";
import type { Rule, SchemaNode } from "#operator/api/crds.ts";
import { isRecord } from "./schema.ts";

/** Faults of a value, each as `field: message`. The value has the types of the schema, and its defaults. */
export type RuleCheck = (value: unknown) => string[];

type Visit = (value: unknown, path: string) => string[];
type Evaluate = (value: CelInput) => boolean;

const badEscape = /%(?![0-9A-Fa-f]{2})/;

// What Kubernetes adds to CEL, as far as our rules use it. Patterns are those of RE2, and ours are none that JavaScript reads otherwise.
const kubernetes = [
  celFunc("isURL", [CelScalar.STRING], CelScalar.BOOL, (text) => URL.canParse(text) && !badEscape.test(text)),
  celMethod("findAll", CelScalar.STRING, [CelScalar.STRING], listType(CelScalar.STRING), function findAll(pattern) {
    return [...this.matchAll(new RegExp(pattern, "gu"))].map(([found]) => found);
  }),
  celMethod("isSorted", listType(CelScalar.BOOL), [], CelScalar.BOOL, function isSorted() {
    const items = [...this];
    return items.every((item, index) => index === 0 || Number(items[index - 1]) <= Number(item));
  }),
];
const environment = celEnv({ funcs: [...strings, ...kubernetes] });

/** Compiles every rule of the schema. Throws if one is not CEL. */
export function compileRules(schema: SchemaNode): RuleCheck {
  const visit = visitNode(schema);
  return (value) => visit(value, "");
}

function visitNode(node: SchemaNode): Visit {
  const visits = [...rulesOf(node), ...childrenOf(node)];
  return (value, path) => (value === undefined ? [] : visits.flatMap((visit) => visit(value, path)));
}

function rulesOf(node: SchemaNode): Visit[] {
  const rules = (node["x-kubernetes-validations"] ?? []).filter(({ rule }) => !isTransition(rule));
  return rules.map((rule) => {
    const evaluate = compile(rule);
    return (value, path) => {
      if (evaluate(toCel(value, node))) return [];
      const field = `${path}${rule.fieldPath ?? ""}`.replace(/^\./, "");
      return [`${field}: ${rule.message}`];
    };
  });
}

/** Whether a rule compares with what was there before. */
export function isTransition(rule: string): boolean {
  return /\boldSelf\b/.test(rule);
}

function compile({ rule }: Rule): Evaluate {
  const run = plan(environment, parse(rule));
  return (self) => {
    const result = run({ self });
    if (isCelError(result)) throw new Error(`CEL rule ${rule}: ${result.message}`, { cause: result });
    return result === true;
  };
}

function childrenOf({ properties = {}, items, additionalProperties }: SchemaNode): Visit[] {
  const visits = Object.entries(properties).map(([name, child]): Visit => {
    const visit = visitNode(child);
    return (value, path) => (isRecord(value) ? visit(value[name], `${path}.${name}`) : []);
  });
  if (items !== undefined) {
    const visit = visitNode(items);
    visits.push((value, path) =>
      Array.isArray(value) ? value.flatMap((item, index) => visit(item, `${path}[${index}]`)) : [],
    );
  }
  if (additionalProperties !== undefined) {
    const visit = visitNode(additionalProperties);
    visits.push((value, path) =>
      isRecord(value) ? Object.entries(value).flatMap(([key, child]) => visit(child, `${path}[${key}]`)) : [],
    );
  }
  return visits;
}

/** CEL tells integers from doubles, which JavaScript does not: the schema knows. What the schema does not know is left out. */
function toCel(value: unknown, node: SchemaNode): CelInput {
  if (typeof value === "string") return value;
  if (typeof value === "number") return BigInt(value);
  if (Array.isArray(value)) return value.map((item) => toCel(item, node.items ?? {}));
  if (!isRecord(value)) throw new Error(`a ${typeof value} has no CEL type here`);
  const { properties = {}, additionalProperties } = node;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, child]) => {
      const schema = properties[name] ?? additionalProperties;
      return schema === undefined || child === undefined ? [] : [[name, toCel(child, schema)]];
    }),
  );
}
