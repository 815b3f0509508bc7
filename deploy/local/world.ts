// The simulator's world for the manifests at hand: its default world, and in it every account and number that they declare.
// Numbers that it does not know already get the templates of its first account.
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { Manifests } from "./manifests.ts";

const template = z.looseObject({ id: z.string() });
const account = z.looseObject({
  id: z.string(),
  numbers: z.array(z.looseObject({ id: z.string() })),
  templates: z.array(template),
});
const world = z.looseObject({
  app: z.looseObject({ secret: z.string() }),
  businesses: z.array(z.looseObject({ id: z.string(), accounts: z.array(account) })),
});

export type World = z.infer<typeof world>;

export function readDefaultWorld(): World {
  const file = new URL("../../services/simulator/default-world.json", import.meta.url);
  return world.parse(JSON.parse(readFileSync(file, "utf8")));
}

type Credentials = { accessTokens: string[]; appSecret: string; verifyToken: string };

/** `webhookUrl` is where the simulated WhatsApp sends its webhooks: our gateway. */
export function worldFor(
  { accounts, numbers }: Manifests,
  { accessTokens, appSecret, verifyToken }: Credentials,
  webhookUrl: string,
): World {
  const base = readDefaultWorld();
  const templates = base.businesses[0]?.accounts[0]?.templates ?? [];
  for (const { metadata, spec } of accounts) {
    const declared = numbers.filter((number) => number.spec.accountRef.name === metadata.name);
    const known = base.businesses.flatMap((business) => business.accounts).find(({ id }) => id === spec.wabaId);
    const missing = declared.filter(
      (number) => known?.numbers.every(({ id }) => id !== number.spec.phoneNumberId) ?? true,
    );
    const added = missing.map((number) => ({
      id: number.spec.phoneNumberId,
      displayPhoneNumber: number.spec.phoneNumber.slice(1),
      verifiedName: number.spec.displayName ?? number.metadata.name,
    }));
    if (known !== undefined) known.numbers.push(...added);
    else base.businesses.push(newBusiness(spec.wabaId, metadata.name, added, templates));
  }
  return { ...base, app: { ...base.app, secret: appSecret, verifyToken, accessTokens, webhookUrl } };
}

/** Ids are made from the account's, so that they are the same at each start. */
function newBusiness(
  wabaId: string,
  name: string,
  numbers: { id: string }[],
  templates: { id: string }[],
): World["businesses"][number] {
  const own = templates.map((copied, index) => ({
    ...copied,
    id: `9${wabaId.slice(-12)}${String(index).padStart(3, "0")}`,
  }));
  return { id: `8${wabaId.slice(-12)}`, name, accounts: [{ id: wabaId, name, numbers, templates: own }] };
}
