// WhatsApp's message ids. The layout is the real one (the user's digits, the direction, 18 hex digits); here the hex digits hold
// the start of the simulator and a running number, so that an id names its row and never comes back after a restart.

export type Wamid = {
  /** The user's phone number: digits. */
  user: string;
  /** True for what the user wrote. */
  inbound: boolean;
  /** When the simulator started, ms. */
  bootMs: number;
  /** Counts from 0; below 2^28. */
  seq: number;
};

const prefix = "wamid.";
const bootDigits = 11;
const seqDigits = 7;

export function toWamid({ user, inbound, bootMs, seq }: Wamid): string {
  const hex = bootMs.toString(16).padStart(bootDigits, "0") + seq.toString(16).padStart(seqDigits, "0");
  const kind = inbound ? "\x12" : "\x11";
  const bytes = `\x1c\x18${String.fromCharCode(user.length)}${user}\x15\x02\x00${kind}\x18\x12${hex.toUpperCase()}\x00`;
  return prefix + Buffer.from(bytes, "latin1").toString("base64");
}

// oxlint-disable-next-line no-control-regex -- the layout consists of control characters
const layout = /^\x1c\x18.(\d+)\x15\x02\x00([\x11\x12])\x18\x12([0-9A-F]{11})([0-9A-F]{7})\x00$/s;

/** The parts of an id of this layout; undefined for any other text. */
export function fromWamid(text: string): Wamid | undefined {
  if (!text.startsWith(prefix)) return undefined;
  const bytes = Buffer.from(text.slice(prefix.length), "base64").toString("latin1");
  const [, user, kind, boot, seq] = layout.exec(bytes) ?? [];
  if (user === undefined || boot === undefined || seq === undefined) return undefined;
  return { user, inbound: kind === "\x12", bootMs: Number.parseInt(boot, 16), seq: Number.parseInt(seq, 16) };
}
