// The real webhooks service in this test's own process, with a receiver to deliver to.
import { findFreePort } from "#local/server-process.ts";
import { readConfig } from "../../services/webhooks/config.ts";
import { startWebhooks } from "../../services/webhooks/start.ts";
import { type Receiver, startReceiver } from "../../services/webhooks/test-receiver.ts";
import { testLog } from "./log.ts";
import { privateDatabase } from "./postgres.ts";

export type WebhooksProcess = AsyncDisposable & {
  address: string;
  receiver: Receiver;
  /** Ends the service; start brings it back at the same address. */
  stop(): Promise<void>;
  start(): Promise<void>;
};

/** Reads the news at `natsUrl`, where messages must have made the stream. Retries begin at 50 ms. */
export async function startWebhooksService(natsUrl: string): Promise<WebhooksProcess> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await privateDatabase({ services: ["webhooks"] }));
  const receiver = opened.use(await startReceiver());
  const port = await findFreePort("127.0.0.1");
  const config = readConfig({
    DATABASE_URL: database.url,
    NATS_URL: natsUrl,
    LOG_LEVEL: testLog.level,
    RETRY_BASE_MS: "50",
    GRPC_PORT: String(port),
  });
  let service: AsyncDisposable | undefined;
  const start = async (): Promise<void> => {
    service = await startWebhooks({ config, now: () => new Date() });
  };
  const stop = async (): Promise<void> => {
    await service?.[Symbol.asyncDispose]();
    service = undefined;
  };
  await start();
  opened.defer(stop);
  const running = opened.move();
  return {
    address: `127.0.0.1:${port}`,
    receiver,
    stop,
    start,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
