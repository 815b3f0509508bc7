// POST /{phone-number-id}/register and /deregister, and the PIN of two-step verification by POST /{phone-number-id}.
import { z } from "zod";
import { publishNews } from "../account-news.ts";
import { deregister, register } from "../domain/registration.ts";
import type { Simulation } from "../simulation.ts";
import type { PhoneNumber } from "../store.ts";
import type { GraphReply, GraphRequest } from "./graph.ts";

const pin = z.union([z.string(), z.int().transform(String)]).pipe(z.string().regex(/^\d{6}$/));
const registering = z.object({ messaging_product: z.literal("whatsapp"), pin });
const setting = z.object({ pin });

export function registerNumber(sim: Simulation, number: PhoneNumber, { body }: GraphRequest): GraphReply {
  const parsed = registering.safeParse(body);
  if (!parsed.success) {
    return { error: { code: 100, details: "messaging_product must be whatsapp, and pin must have six digits" } };
  }
  const tried = register(number.registration, parsed.data.pin, isVerified(number), sim.now());
  number.registration = tried.registration;
  if (tried.error !== undefined) return { error: tried.error };
  number.registered = true;
  number.onPremises = false;
  number.takenElsewhere = false;
  return { body: { success: true } };
}

/** A number that is not registered answers 133010, and the try counts all the same. */
export function deregisterNumber(sim: Simulation, number: PhoneNumber): GraphReply {
  const tried = deregister(number.registration, isVerified(number), sim.now());
  number.registration = tried.registration;
  if (tried.error !== undefined) return { error: tried.error };
  if (!number.registered) return { error: { code: 133010, details: "the number is not registered" } };
  number.registered = false;
  number.takenElsewhere = false;
  return { body: { success: true } };
}

/** Sets or replaces the PIN, without the old one. */
export function changeNumberSettings(sim: Simulation, number: PhoneNumber, { body }: GraphRequest): GraphReply {
  const parsed = setting.safeParse(body);
  if (!parsed.success) return { error: { code: 100, details: "pin must have six digits" } };
  number.registration = { ...number.registration, pin: parsed.data.pin, wrong: [], lockedUntil: 0 };
  const news = { display_phone_number: number.displayPhoneNumber, event: "PIN_CHANGED" };
  publishNews(sim, number.account, "security", JSON.stringify(news));
  return { body: { success: true } };
}

function isVerified({ codeVerificationStatus }: PhoneNumber): boolean {
  return codeVerificationStatus === "VERIFIED";
}
