// The messages in memory that wait for their turn: two lanes, so that a broadcast never delays an answer, and in each lane
// the order of acceptance per recipient, one in flight at a time.

export type Lane = "reply" | "bulk";

/** Where a message stands in the order of its lane: the ledger's order of acceptance, which no clock can turn round. */
export type Place = { messageId: string; seq: number };

export type Queued = Place & { lane: Lane; recipient: string };

/** Whether `a` was accepted before `b`. */
export function isBefore(a: Place, b: Place): boolean {
  return a.seq < b.seq;
}

/** One recipient within one lane: what order is kept for. */
export function keyOf({ lane, recipient }: Queued): string {
  return `${lane}:${recipient}`;
}

export type Lanes<Item extends Queued> = {
  add(item: Item): void;
  /** Takes a message out that will not go over the wire from here. */
  remove(item: Item): void;
  /** Takes out what waits behind the item, to the same recipient in its lane. */
  removeBehind(item: Item): void;
  /** Whether it waits here. */
  has(item: Item): boolean;
  /**
   * The next message that may go, or undefined. Passes over recipients that have one in flight or whose first message is not ready.
   * When both lanes have one, eight replies go for each of bulk.
   */
  next(isReady: (item: Item) => boolean, isOpen: (lane: Lane) => boolean): Item | undefined;
  /** Moves a message from its lane to the wire; the recipient's next one waits for `finish`. */
  start(item: Item): void;
  finish(item: Item): void;
  /** Waiting, without those in flight. */
  size(lane: Lane): number;
  items(): Iterable<Item>;
};

const weights: Readonly<Record<Lane, number>> = { reply: 8, bulk: 1 };
const total = weights.reply + weights.bulk;

export function createLanes<Item extends Queued>(): Lanes<Item> {
  const queues: Record<Lane, Item[]> = { reply: [], bulk: [] };
  const credits: Record<Lane, number> = { reply: 0, bulk: 0 };
  const waiting = new Set<Item>();
  const inFlight = new Set<string>();

  function first(lane: Lane, isReady: (item: Item) => boolean): Item | undefined {
    const passed = new Set<string>();
    for (const item of queues[lane]) {
      if (passed.has(item.recipient)) continue;
      if (!inFlight.has(keyOf(item)) && isReady(item)) return item;
      passed.add(item.recipient);
    }
    return undefined;
  }

  function remove(item: Item): void {
    if (!waiting.delete(item)) return;
    const at = queues[item.lane].indexOf(item);
    queues[item.lane].splice(at, 1);
  }

  return {
    add(item) {
      const queue = queues[item.lane];
      const after = queue.findLastIndex((other) => !isBefore(item, other));
      queue.splice(after + 1, 0, item);
      waiting.add(item);
    },
    remove,
    removeBehind(item) {
      const isBehind = (other: Item): boolean => other.recipient === item.recipient && isBefore(item, other);
      for (const other of queues[item.lane].filter(isBehind)) remove(other);
    },
    has: (item) => waiting.has(item),
    next(isReady, isOpen) {
      const reply = isOpen("reply") ? first("reply", isReady) : undefined;
      const bulk = isOpen("bulk") ? first("bulk", isReady) : undefined;
      if (reply === undefined || bulk === undefined) return reply ?? bulk;
      credits.reply += weights.reply;
      credits.bulk += weights.bulk;
      const lane: Lane = credits.reply >= credits.bulk ? "reply" : "bulk";
      credits[lane] -= total;
      return lane === "reply" ? reply : bulk;
    },
    start(item) {
      remove(item);
      inFlight.add(keyOf(item));
    },
    finish(item) {
      inFlight.delete(keyOf(item));
    },
    size: (lane) => queues[lane].length,
    items: () => [...queues.reply, ...queues.bulk],
  };
}
