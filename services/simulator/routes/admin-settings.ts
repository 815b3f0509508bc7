// /admin/settings: how phones behave, limits, latency, the webhook.
import { deliverWaiting } from "../carrier.ts";
import { settingsPatch, withPatch } from "../settings.ts";
import type { Simulation } from "../simulation.ts";
import { type AdminReply, type AdminRequest, invalid, ok } from "./admin.ts";

export function readSettings({ settings, callbacks }: Simulation): AdminReply {
  const { verifyToken: _secret, ...webhook } = settings.webhook;
  return ok({ ...settings, webhook: { ...webhook, url: webhook.url ?? null }, callbacks: callbacks.state() });
}

export function changeSettings(sim: Simulation, { body }: AdminRequest): AdminReply {
  const parsed = settingsPatch.safeParse(body);
  if (!parsed.success) return invalid(parsed.error);
  sim.settings = withPatch(sim.settings, parsed.data);
  if (parsed.data.webhook?.url !== undefined) sim.callbacks.retarget();
  if (parsed.data.offline === false) {
    for (const phone of sim.store.phones.values()) if (phone.waiting.length > 0) deliverWaiting(sim, phone);
  }
  return readSettings(sim);
}
