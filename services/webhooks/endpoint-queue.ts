// The deliveries of one endpoint that are held in memory. Of one order key a single delivery is under way at a time, the others
// follow it in the order they came. First tries go before retries, but one turn in four is a retry's, so that none starves.

/** What the queue looks at. `followed`: more of its key may wait in the table, not in the queue. */
type Line = { deliveryId: number; orderKey: string; attempt: number; followed: boolean };

export type EndpointQueue<Item extends Line> = {
  /** Joins the line of its key. */
  add(item: Item): void;
  /** Tells the last of the key's line, if there is one, that it is followed. */
  markFollowed(orderKey: string): void;
  /** The next that may be sent; it stays in the queue, under way, until `finish` or `leave`. */
  take(): Item | undefined;
  /** It is delivered: the next of its key may go. */
  finish(item: Item): void;
  /** It was not delivered: it leaves the queue together with those that follow it, which are returned. */
  leave(item: Item): Item[];
  /** Empties the queue but for what is under way; followers of that leave too. */
  clear(): Item[];
  has(deliveryId: number): boolean;
  /** All that is held, what is under way included. */
  readonly size: number;
};

export function createEndpointQueue<Item extends Line>(): EndpointQueue<Item> {
  /** By key, oldest first. The first of a line is ready or under way. */
  const lines = new Map<string, Item[]>();
  const ids = new Set<number>();
  const underWay = new Set<number>();
  const ready = createTurns<Item>();

  const markFollowed = (orderKey: string): void => {
    const last = lines.get(orderKey)?.at(-1);
    if (last !== undefined) last.followed = true;
  };

  return {
    add(item) {
      ids.add(item.deliveryId);
      const line = lines.get(item.orderKey);
      if (line === undefined) {
        lines.set(item.orderKey, [item]);
        ready.push(item);
      } else line.push(item);
    },
    markFollowed,
    take() {
      const item = ready.take();
      if (item !== undefined) underWay.add(item.deliveryId);
      return item;
    },
    finish(item) {
      ids.delete(item.deliveryId);
      underWay.delete(item.deliveryId);
      const line = lines.get(item.orderKey);
      line?.shift();
      const next = line?.[0];
      if (next === undefined) lines.delete(item.orderKey);
      else ready.push(next);
    },
    leave(item) {
      underWay.delete(item.deliveryId);
      const followers = (lines.get(item.orderKey) ?? []).slice(1);
      lines.delete(item.orderKey);
      for (const { deliveryId } of [item, ...followers]) ids.delete(deliveryId);
      return followers;
    },
    clear() {
      const left: Item[] = [];
      for (const [orderKey, line] of lines) {
        const [head] = line;
        const kept = head !== undefined && underWay.has(head.deliveryId) ? 1 : 0;
        const leaving = line.splice(kept);
        left.push(...leaving);
        if (kept === 0) lines.delete(orderKey);
        else if (leaving.length > 0) markFollowed(orderKey);
      }
      for (const { deliveryId } of left) ids.delete(deliveryId);
      ready.clear();
      return left;
    },
    has: (deliveryId) => ids.has(deliveryId),
    get size() {
      return ids.size;
    },
  };
}

const turnsOfRetries = 4;

/** What is ready to be sent, in the order in which it is its turn. */
function createTurns<Item extends { attempt: number }>() {
  let firstTries: Item[] = [];
  let retries: Item[] = [];
  let turn = 0;
  return {
    push(item: Item): void {
      (item.attempt === 1 ? firstTries : retries).push(item);
    },
    take(): Item | undefined {
      turn = (turn + 1) % turnsOfRetries;
      const [preferred, other] = turn === 0 ? [retries, firstTries] : [firstTries, retries];
      return preferred.shift() ?? other.shift();
    },
    clear(): void {
      firstTries = [];
      retries = [];
    },
  };
}
