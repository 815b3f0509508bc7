// Gathers calls that come one by one into batches, one batch under way at a time. A call that is alone goes at once;
// when the last batch held several, the next waits a little for more.

export type Gatherer<Item, Result> = {
  /** The item's own result of the batch it went with. */
  add(item: Item): Promise<Result>;
};

type Options<Item, Result> = {
  /** Most items of a batch. */
  max: number;
  lingerMs: number;
  /** Answers in the order asked. What it throws goes to every item of the batch. */
  run: (items: readonly Item[]) => Promise<readonly Result[]>;
};

type Entry<Item, Result> = { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void };

export function createGatherer<Item, Result>({ max, lingerMs, run }: Options<Item, Result>): Gatherer<Item, Result> {
  let waiting: Entry<Item, Result>[] = [];
  let isRunning = false;
  let lastCount = 0;
  let timer: NodeJS.Timeout | undefined;

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (isRunning) return;
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, max);
      waiting = waiting.slice(max);
      lastCount = batch.length;
      await settle(batch);
    }
    isRunning = false;
  }

  async function settle(batch: readonly Entry<Item, Result>[]): Promise<void> {
    try {
      const results = await run(batch.map(({ item }) => item));
      for (const [at, { resolve, reject }] of batch.entries()) {
        const result = results[at];
        if (result === undefined) reject(new Error(`batch of ${batch.length} has no result ${at}`));
        else resolve(result);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    add(item) {
      return new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        if (isRunning) return;
        if (waiting.length >= max) void flush();
        else if (waiting.length === 1 && lastCount > 1) timer = setTimeout(() => void flush(), lingerMs);
        // Not now but after the caller's own loop, so that what is added together goes together.
        else if (waiting.length === 1) queueMicrotask(() => void flush());
      });
    },
  };
}
