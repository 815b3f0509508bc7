// Finds which messages of ours a webhook means where it has WhatsApp's ids only. Before the commit, because rows are locked by id.
import { sleep } from "#lib/lifecycle.ts";
import type { Queryable } from "#lib/postgres.ts";
import type { IngestItem } from "./domain/batch.ts";
import type { InboundMessage } from "./domain/inbound.ts";
import { type Reference, referenceOf, withOurId } from "./references.ts";
import type { Register } from "./register.ts";
import { findByWamid } from "./store/lookup.ts";

type Dependencies = { db: Queryable; register: Pick<Register, "placeOf"> };

/** A quick user quotes a message before its Finish has told us WhatsApp's id: it is looked for once more after this long. */
const secondLookMs = 100;

export async function resolveIngest(item: IngestItem, { db, register }: Dependencies): Promise<IngestItem> {
  const references = item.inbound.map(lookForReference);
  const wamids = new Set(
    [
      ...item.reports.flatMap(({ messageId, wamid }) => (messageId === undefined ? [wamid] : [])),
      ...references.flatMap((reference) => (reference === undefined ? [] : [reference.wamid])),
    ].values(),
  );
  if (wamids.size === 0) return item;
  const found = await findByWamid(db, [...wamids]);
  const late = item.inbound.flatMap(({ phoneNumberId }, index) => {
    const reference = references[index];
    const isOurs =
      reference?.from !== undefined && reference.from === register.placeOf(phoneNumberId).displayPhoneNumber;
    return reference !== undefined && isOurs && !found.has(reference.wamid) ? [reference.wamid] : [];
  });
  if (late.length > 0) {
    await sleep(secondLookMs);
    for (const [wamid, messageId] of await findByWamid(db, late)) found.set(wamid, messageId);
  }
  return {
    ...item,
    reports: item.reports.map((report) =>
      report.messageId === undefined ? { ...report, messageId: found.get(report.wamid) } : report,
    ),
    inbound: item.inbound.map((inbound, index) => withReference(inbound, references[index], found)),
  };
}

/** Most messages name no other, and are not parsed. */
function lookForReference({ type, messageJson }: InboundMessage): Reference | undefined {
  const bytes = Buffer.from(messageJson.buffer, messageJson.byteOffset, messageJson.byteLength);
  return type === "reaction" || bytes.includes('"context"') ? referenceOf(messageJson) : undefined;
}

function withReference(
  inbound: InboundMessage,
  reference: Reference | undefined,
  found: ReadonlyMap<string, string>,
): InboundMessage {
  const messageId = reference === undefined ? undefined : found.get(reference.wamid);
  if (messageId === undefined) return inbound;
  return { ...inbound, contextMessageId: messageId, messageJson: withOurId(inbound.messageJson, messageId) };
}
