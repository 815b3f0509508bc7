// /admin/faults: what goes wrong on purpose, and how often it did.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Fault } from "../domain/fault.ts";
import { httpStatusOf } from "../domain/graph-error.ts";
import type { Simulation } from "../simulation.ts";
import { type AdminReply, type AdminRequest, invalid, missing, ok } from "./admin.ts";

const digits = z.union([z.string(), z.int()]).transform((value) => String(value).replace(/\D/g, ""));
const ms = z.int().min(0);
const rule = {
  id: z.string().min(1).optional(),
  match: z
    .strictObject({ phoneNumberId: digits.optional(), to: digits.optional(), path: z.string().optional() })
    .default({}),
  probability: z.number().min(0).max(1).default(1),
  times: z.int().min(0).optional(),
};

const variants = [
  z.strictObject({
    ...rule,
    kind: z.literal("status"),
    status: z.int().min(200).max(599).optional(),
    code: z.int().default(131000),
    accepted: z.boolean().default(false),
  }),
  z.strictObject({ ...rule, kind: z.literal("cut_before") }),
  z.strictObject({ ...rule, kind: z.literal("cut_after") }),
  z.strictObject({
    ...rule,
    kind: z.literal(["hang", "garbage", "reset_mid_answer"]),
    accepted: z.boolean().default(true),
  }),
  z.strictObject({ ...rule, kind: z.literal("slow"), ms }),
  z.strictObject({ ...rule, kind: z.literal("webhook_delay"), ms }),
  z.strictObject({ ...rule, kind: z.literal("webhook_shuffle"), ms: ms.default(500) }),
  z.strictObject({ ...rule, kind: z.literal(["webhook_double", "webhook_drop_then_retry"]) }),
  z.strictObject({ ...rule, kind: z.literal("storm"), copies: z.int().min(1).max(1_000).default(10) }),
] as const;
const kinds = variants.flatMap(({ shape }) => [...shape.kind.values]);

const fault = z.discriminatedUnion("kind", variants, {
  error: ({ code }) => (code === "invalid_union" ? `must be one of ${kinds.join(", ")}` : undefined),
});
const list = z.array(fault);
const one = fault.transform((given) => [given]);

/** One fault, or several. */
function parseFaults(body: unknown) {
  return (Array.isArray(body) ? list : one).safeParse(body);
}

function toFault(given: z.output<typeof fault>): Fault {
  const common = {
    id: given.id ?? `fault-${randomUUID().slice(0, 8)}`,
    match: given.match,
    probability: given.probability,
    times: given.times,
  };
  switch (given.kind) {
    case "status":
      return { ...given, ...common, status: given.status ?? httpStatusOf(given.code) };
    case "cut_before":
      return { ...given, ...common, accepted: false };
    case "cut_after":
    case "slow":
      return { ...given, ...common, accepted: true };
    default:
      return { ...given, ...common };
  }
}

export function listFaults({ faults }: Simulation): AdminReply {
  return ok({ faults: faults.list() });
}

export function replaceFaults(sim: Simulation, { body }: AdminRequest): AdminReply {
  const parsed = parseFaults(body);
  if (!parsed.success) return invalid(parsed.error);
  sim.faults.replace(parsed.data.map(toFault));
  return listFaults(sim);
}

export function addFaults(sim: Simulation, { body }: AdminRequest): AdminReply {
  const parsed = parseFaults(body);
  if (!parsed.success) return invalid(parsed.error);
  sim.faults.add(parsed.data.map(toFault));
  return listFaults(sim);
}

/** One by its id, or all; counters of the others stay. */
export function removeFaults(sim: Simulation, _request: AdminRequest, id: string): AdminReply {
  if (id === "") sim.faults.replace([]);
  else if (!sim.faults.remove(id)) return missing(`fault ${id}`);
  return listFaults(sim);
}
