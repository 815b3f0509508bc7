// Delivery of news to one callback URL, as Meta does it: signed, in batches when busy, alone and at once when idle, again with
// growing pauses until the answer is 200. Several POSTs are under way at a time, so order is not promised.
import { setImmediate } from "node:timers/promises";
import { Pool } from "undici";
import { sign } from "#dialects/signature.ts";
import type { Log } from "#lib/log.ts";
import { nextAttemptAt } from "./domain/retry.ts";
import { type Change, webhookBody } from "./domain/webhook-body.ts";
import type { Metrics } from "./metrics.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Settings } from "./settings.ts";

type SenderOptions = {
  url: string;
  secret: () => string;
  settings: () => Settings["webhook"];
  now: () => number;
  scheduler: Scheduler;
  metrics: Metrics;
  log: Log;
};

/** `life` counts the clears before it was made: what belongs to an earlier life no longer counts. */
type Batch = { body: Buffer; size: number; firstAt: number; attempts: number; life: number };

const maxInFlight = 8;
const connectTimeoutMs = 5_000;
/** How much longer news is gathered while POSTs fail. */
const failingFactor = 20;

export class WebhookSender {
  readonly #options: SenderOptions;
  readonly #pool: Pool;
  readonly #path: string;
  #pending: Change[] = [];
  #ready: Batch[] = [];
  #inFlight = 0;
  #waiting = 0;
  #gathering: NodeJS.Timeout | undefined;
  #isOpen = false;
  /** The last POST was not answered with 200: what comes now is gathered, so that a dead receiver costs few attempts. */
  #isFailing = false;
  #life = 0;

  constructor(options: SenderOptions) {
    const { origin, pathname, search } = new URL(options.url);
    this.#options = options;
    this.#path = pathname + search;
    this.#pool = new Pool(origin, {
      connections: maxInFlight,
      pipelining: 1,
      connect: { timeout: connectTimeoutMs },
    });
  }

  /** Pieces of news not yet answered with 200. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether news goes out, or waits for `open`. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
    this.#flush();
  }

  /** Sends it, with others if there are. */
  push(change: Change): void {
    this.#pending.push(change);
    this.#waiting += 1;
    if (this.#inFlight === 0 && !this.#isFailing) return this.#flush();
    this.#gatherOn();
  }

  /** Sends it in a POST of its own; with `dropFirst` the first attempt fails without being made. */
  pushAlone(change: Change, { dropFirst }: { dropFirst: boolean }): void {
    const batch = this.#toBatch([change]);
    this.#waiting += 1;
    if (dropFirst) return this.#retry(batch);
    this.#ready.push(batch);
    this.#sendReady();
  }

  /** Forgets what waits and what is to be sent again. */
  clear(): void {
    this.#life += 1;
    this.#pending = [];
    this.#ready = [];
    this.#waiting = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false;
    this.clear();
    clearTimeout(this.#gathering);
    await this.#pool.destroy();
    // The attempts that this cut end in the microtasks after it.
    await setImmediate();
  }

  /** Sends all that is ready, and all that was gathered. */
  #flush(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#sendReady();
    const { batch } = this.#options.settings();
    while (this.#isOpen && this.#inFlight < maxInFlight && this.#pending.length > 0) {
      this.#send(this.#toBatch(this.#pending.splice(0, batch)));
    }
  }

  #gatherOn(): void {
    if (!this.#isOpen || this.#gathering !== undefined || this.#pending.length === 0) return;
    const { gatherMs } = this.#options.settings();
    this.#gathering = setTimeout(() => this.#flush(), this.#isFailing ? gatherMs * failingFactor : gatherMs);
  }

  #sendReady(): void {
    while (this.#isOpen && this.#inFlight < maxInFlight) {
      const batch = this.#ready.shift();
      if (batch === undefined) return;
      this.#send(batch);
    }
  }

  #send(batch: Batch): void {
    this.#inFlight += 1;
    void this.#post(batch);
  }

  #toBatch(changes: readonly Change[]): Batch {
    const body = Buffer.from(webhookBody(changes), "latin1");
    return { body, size: changes.length, firstAt: this.#options.now(), attempts: 0, life: this.#life };
  }

  async #post(batch: Batch): Promise<void> {
    const isTaken = await this.#attempt(batch.body);
    this.#inFlight -= 1;
    this.#isFailing = !isTaken;
    if (batch.life === this.#life) {
      if (isTaken) this.#finish(batch);
      else this.#retry(batch);
    }
    if (isTaken) return this.#flush();
    this.#sendReady();
    this.#gatherOn();
  }

  async #attempt(body: Buffer): Promise<boolean> {
    const { settings, secret } = this.#options;
    const { timeoutMs } = settings();
    try {
      const response = await this.#pool.request({
        path: this.#path,
        method: "POST",
        headers: {
          "content-type": "application/json",
          "user-agent": "facebookexternalua",
          "x-hub-signature-256": sign(secret(), body),
        },
        body,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      });
      await response.body.dump();
      return response.statusCode === 200;
    } catch {
      // A refused, cut or late answer is one outcome for the sender: the news goes again.
      return false;
    }
  }

  #finish({ size }: Batch): void {
    const { metrics } = this.#options;
    metrics.webhookPosts.inc({ outcome: "ok" });
    metrics.webhookChanges.inc(size);
    this.#waiting -= size;
  }

  #retry(batch: Batch): void {
    const { settings, now, scheduler, metrics, log } = this.#options;
    batch.attempts += 1;
    const dueAt = nextAttemptAt(batch, settings(), now());
    if (dueAt === undefined) {
      metrics.webhookPosts.inc({ outcome: "given_up" });
      this.#waiting -= batch.size;
      log.warn({ changes: batch.size, attempts: batch.attempts }, "webhook given up");
      return;
    }
    metrics.webhookPosts.inc({ outcome: "failed" });
    scheduler.at(dueAt, () => {
      this.#ready.push(batch);
      this.#sendReady();
    });
  }
}
