// Delayed actions in a heap by due time, with one timer for the earliest. Actions of the same instant run in the order in which
// they were planned. Time comes from `now`: under a clock that jumps, call runDue after the jump.

export type Scheduler = Disposable & {
  /** Runs the action at that instant (ms), or as soon as possible if it has passed; never within this call. */
  at(dueAt: number, run: () => void): void;
  /** Runs what is due by now. */
  runDue(): void;
  /** Forgets every action. */
  clear(): void;
  size(): number;
};

type Action = { dueAt: number; order: number; run: () => void };

/** The longest delay that setTimeout takes. */
const maxTimeoutMs = 2 ** 31 - 1;

export function createScheduler(now: () => number): Scheduler {
  const heap: Action[] = [];
  let order = 0;
  let timer: NodeJS.Timeout | undefined;
  let timerDueAt = Number.POSITIVE_INFINITY;

  function arm(): void {
    const [first] = heap;
    if (first === undefined || first.dueAt >= timerDueAt) return;
    clearTimeout(timer);
    timerDueAt = first.dueAt;
    timer = setTimeout(fire, Math.min(maxTimeoutMs, Math.max(0, Math.ceil(first.dueAt - now()))));
  }

  function fire(): void {
    timerDueAt = Number.POSITIVE_INFINITY;
    runDue();
    arm();
  }

  function runDue(): void {
    const until = now();
    while (heap[0] !== undefined && heap[0].dueAt <= until) pop(heap)?.run();
  }

  function stop(): void {
    clearTimeout(timer);
    timerDueAt = Number.POSITIVE_INFINITY;
    heap.length = 0;
  }

  return {
    at(dueAt, run) {
      order += 1;
      push(heap, { dueAt, order, run });
      arm();
    },
    runDue,
    clear: stop,
    size: () => heap.length,
    [Symbol.dispose]: stop,
  };
}

function isBefore(a: Action, b: Action): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);
}

function push(heap: Action[], action: Action): void {
  let at = heap.length;
  heap.push(action);
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || !isBefore(action, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = action;
}

function pop(heap: Action[]): Action | undefined {
  const [first] = heap;
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    const left = heap[2 * at + 1];
    if (left === undefined) break;
    const right = heap[2 * at + 2];
    const isRight = right !== undefined && isBefore(right, left);
    const child = isRight ? right : left;
    if (!isBefore(child, last)) break;
    heap[at] = child;
    at = 2 * at + (isRight ? 2 : 1);
  }
  heap[at] = last;
  return first;
}
