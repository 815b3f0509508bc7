// The real services around connection processes, in this test's own process, with a simulator of WhatsApp.
import { findFreePort } from "#local/server-process.ts";
import { startBilling } from "../../services/billing/start.ts";
import { readConfig as readBillingConfig } from "../../services/billing/config.ts";
import { readConfig as readMessagesConfig } from "../../services/messages/config.ts";
import { startMessages } from "../../services/messages/start.ts";
import { readConfig as readQualityConfig } from "../../services/quality/config.ts";
import { startQuality } from "../../services/quality/start.ts";
import { readConfig as readSimulatorConfig } from "../../services/simulator/config.ts";
import { startSimulator } from "../../services/simulator/start.ts";
import { readConfig as readTemplatesConfig } from "../../services/templates/config.ts";
import { startTemplates } from "../../services/templates/start.ts";
import { testLog } from "./log.ts";
import { privateNats } from "./nats.ts";
import { privateDatabase } from "./postgres.ts";

export type SystemServices = AsyncDisposable & {
  messages: string;
  templates: string;
  billing: string;
  quality: string;
  natsUrl: string;
  /** Base URL of the simulated Graph API. */
  simulator: string;
  /** Ends the messages service; start brings it back at the same address. */
  stopMessages(): Promise<void>;
  startMessages(): Promise<void>;
};

export type Lease = Record<"LEASE_MS" | "STOP_AFTER_MS" | "RENEW_EVERY_MS", string>;

type Options = {
  /** Of the simulator's world; its default one unless told. */
  seedFile?: string;
  /** Short, so that a lost holder is not waited for. */
  lease?: Lease;
};

const shortLease = { LEASE_MS: "6000", STOP_AFTER_MS: "4000", RENEW_EVERY_MS: "1000" };
const now = (): Date => new Date();

export async function startSystemServices({ seedFile, lease = shortLease }: Options = {}): Promise<SystemServices> {
  await using opened = new AsyncDisposableStack();
  const services = ["messages", "templates", "billing", "quality"];
  const database = opened.use(await privateDatabase({ services }));
  const nats = opened.use(await privateNats());
  const port = await findFreePort("127.0.0.1");
  const messagesAddress = `127.0.0.1:${port}`;
  const log = { LOG_LEVEL: testLog.level };
  const env = { ...log, DATABASE_URL: database.url, NATS_URL: nats.url, MESSAGES_ADDRESS: messagesAddress };
  const nobody = "127.0.0.1:1";
  const peers = { TEMPLATES_ADDRESS: nobody, BILLING_ADDRESS: nobody, QUALITY_ADDRESS: nobody };
  const messagesConfig = readMessagesConfig({ ...env, ...peers, ...lease, GRPC_PORT: String(port) });
  let messages: AsyncDisposable | undefined;
  const start = async (): Promise<void> => {
    messages = await startMessages({ config: messagesConfig, now });
  };
  const stop = async (): Promise<void> => {
    await messages?.[Symbol.asyncDispose]();
    messages = undefined;
  };
  await start();
  opened.defer(stop);
  const seed = seedFile === undefined ? {} : { SEED_FILE: seedFile };
  const simulator = opened.use(await startSimulator({ config: readSimulatorConfig({ ...log, ...seed }), now }));
  const templates = opened.use(await startTemplates({ config: readTemplatesConfig(env), now }));
  const billing = opened.use(await startBilling({ config: readBillingConfig(env), now }));
  const quality = opened.use(
    await startQuality({ config: readQualityConfig({ ...env, REFRESH_POLL_MS: "200" }), now }),
  );
  const running = opened.move();
  return {
    messages: messagesAddress,
    templates: templates.address,
    billing: billing.address,
    quality: quality.address,
    natsUrl: nats.url,
    simulator: simulator.apiUrl,
    stopMessages: stop,
    startMessages: start,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
