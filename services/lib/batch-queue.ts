// Gathers items that arrive one by one into batches: a batch is ready when it is full or its first item has waited long enough.
// Items stay in the queue until they are done, so that a batch that failed is taken again. Lower keys go first: what a server
// gives out again may arrive after what is newer.

export type BatchQueue<Item> = {
  /** Adds an item; one whose key is still in the queue is left aside. */
  push(item: Item): void;
  /** The next batch by rising key; empty only after close. */
  next(): Promise<readonly Item[]>;
  /** Removes what `next` gave. */
  done(taken: readonly Item[]): void;
  /** Lets a waiting `next` return at once, with nothing. */
  close(): void;
  /** Everything not done yet. */
  rest(): readonly Item[];
};

type QueueOptions<Item> = {
  keyOf: (item: Item) => number;
  batch: number;
  lingerMs: number;
};

/** One reader at a time. */
export function createBatchQueue<Item>({ keyOf, batch, lingerMs }: QueueOptions<Item>): BatchQueue<Item> {
  let items: Item[] = [];
  const keys = new Set<number>();
  let isClosed = false;
  let onChange = (): void => undefined;

  function atLeast(count: number, timeoutMs: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
      onChange = () => {
        if (!isClosed && items.length < count) return;
        clearTimeout(timer);
        resolve();
      };
      onChange();
    });
  }

  return {
    push(item) {
      const key = keyOf(item);
      if (keys.has(key)) return;
      keys.add(key);
      items.push(item);
      onChange();
    },
    async next() {
      await atLeast(1, undefined);
      await atLeast(batch, lingerMs);
      items.sort((left, right) => keyOf(left) - keyOf(right));
      return isClosed ? [] : items.slice(0, batch);
    },
    done(taken) {
      for (const item of taken) keys.delete(keyOf(item));
      items = items.filter((item) => keys.has(keyOf(item)));
    },
    close() {
      isClosed = true;
      onChange();
    },
    rest: () => items,
  };
}
