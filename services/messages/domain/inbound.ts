// What users write: which contacts it updates, and when a user last wrote.

export type InboundMessage = {
  phoneNumberId: string;
  wabaId: string;
  wamid: string;
  /** The user's phone number, digits. */
  from: string;
  profileName: string;
  /** WhatsApp's timestamp. */
  at: Date;
  type: string;
  /** As Meta wrote it, UTF-8 JSON; where it names messages of ours, by our id. */
  messageJson: Uint8Array;
  /** The message of ours that it quotes or reacts to. */
  contextMessageId: string | undefined;
};

export type Contact = {
  phoneNumberId: string;
  waId: string;
  /** Empty where WhatsApp did not tell. */
  profileName: string;
  lastInboundAt: Date | undefined;
};

// Events of the conversation that the user did not write as a message.
const notWritten = new Set(["system", "edit", "revoke", "request_welcome"]);
// A clock that runs ahead must not hold the customer service window open.
const clockSlackMs = 60_000;

/** One contact for each user, with the latest of their messages; in the order of their keys, in which rows are locked. */
export function decideContacts(received: readonly InboundMessage[], now: Date): Contact[] {
  const contacts = new Map<string, Contact & { at: Date }>();
  for (const { phoneNumberId, from, profileName, at, type } of received) {
    const key = `${phoneNumberId} ${from}`;
    const before = contacts.get(key);
    const isNewer = before === undefined || at >= before.at;
    const writtenAt = notWritten.has(type) ? undefined : at.getTime() > now.getTime() + clockSlackMs ? now : at;
    contacts.set(key, {
      phoneNumberId,
      waId: from,
      profileName: (isNewer ? profileName || before?.profileName : before.profileName || profileName) ?? "",
      lastInboundAt: later(before?.lastInboundAt, writtenAt),
      at: isNewer ? at : before.at,
    });
  }
  return [...contacts.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { phoneNumberId, waId, profileName, lastInboundAt }]) => ({
      phoneNumberId,
      waId,
      profileName,
      lastInboundAt,
    }));
}

function later(a: Date | undefined, b: Date | undefined): Date | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? b : a;
}
