// Tells in events what became of a number: one event for each transition that a person would want to know of.
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import type { Stored } from "../kinds.ts";
import type { Recorder } from "../runtime/events.ts";
import type { NumberStatus } from "./status.ts";

const told = ["Ready", "Registered", "Conflict", "Degraded"];

export function tellTransitions(recorder: Recorder, number: Stored<WhatsAppNumber>, status: NumberStatus): void {
  for (const type of told) {
    const before = number.status?.conditions?.find((condition) => condition.type === type);
    const after = status.conditions?.find((condition) => condition.type === type);
    if (after === undefined || (before?.status === after.status && before.reason === after.reason)) continue;
    // A first "no" is no news.
    if (before === undefined && after.status === "False" && (type === "Conflict" || type === "Degraded")) continue;
    const isGood = (after.status === "True") === (type === "Ready" || type === "Registered");
    recorder.record(number, {
      type: isGood || after.status === "Unknown" ? "Normal" : "Warning",
      reason: after.reason,
      action: `Set${type}`,
      note: after.message === "" ? `${type} is ${after.status}` : after.message,
    });
  }
}
