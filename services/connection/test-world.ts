// A connection process in this test's own process, with everything around it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNats, type Nats } from "#lib/nats.ts";
import { testLog } from "#test/env/log.ts";
import { privateNats } from "#test/env/nats.ts";
import { readConfig } from "./config.ts";
import type { Clocks } from "./domain/lease-clock.ts";
import { type Connection, startConnection } from "./start.ts";
import { FactPeers } from "./test-facts.ts";
import { MessagesPeer, phoneNumberId, startPeers } from "./test-peers.ts";
import { startUpstream, type TestUpstream } from "./test-upstream.ts";

type Options = {
  env?: Record<string, string>;
  /** The process' own clocks stand still, but for what the test moves them ahead. */
  doClocksStand?: boolean;
  /** Before the process starts. */
  prepare?: (world: { messages: MessagesPeer; facts: FactPeers; upstream: TestUpstream }) => void;
};

export type World = AsyncDisposable & {
  connection: Connection;
  messages: MessagesPeer;
  facts: FactPeers;
  upstream: TestUpstream;
  nats: Nats;
  /** The environment that the process was started with. */
  env: Record<string, string>;
  /** What its machine's clocks are ahead of the real ones; a test may jump them. */
  ahead: Clocks;
  writeToken(token: string): void;
  /** The news that the messages service would send. */
  wake(): void;
  /** Another process for the same number. */
  startAnother(env: Record<string, string>): Promise<Connection>;
};

export async function startWorld({ env = {}, doClocksStand = false, prepare }: Options = {}): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "heliograph-connection-"));
  opened.defer(() => rmSync(folder, { recursive: true }));
  const tokenFile = join(folder, "token");
  const writeToken = (token: string): void => writeFileSync(tokenFile, `${token}\n`);
  writeToken("token one");
  const messages = new MessagesPeer();
  const facts = new FactPeers();
  const peers = opened.use(await startPeers(messages, facts));
  const upstream = opened.use(await startUpstream());
  const server = opened.use(await privateNats());
  const nats = opened.use(await connectNats({ url: server.url, name: "test", log: testLog }));
  prepare?.({ messages, facts, upstream });
  const readClocks = (): Clocks => ({ monotonicMs: performance.now(), wallMs: Date.now() });
  const startedAt = readClocks();
  const ahead: Clocks = { monotonicMs: 0, wallMs: 0 };
  const full = {
    LOG_LEVEL: testLog.level,
    PHONE_NUMBER_ID: phoneNumberId,
    HOLDER: "test/1",
    MESSAGES_ADDRESS: peers.address,
    TEMPLATES_ADDRESS: peers.address,
    BILLING_ADDRESS: peers.address,
    QUALITY_ADDRESS: peers.address,
    NATS_URL: server.url,
    UPSTREAM_URL: upstream.url,
    ACCESS_TOKEN_FILE: tokenFile,
    ...env,
  };
  const start = (given: Record<string, string>): Promise<Connection> =>
    startConnection({
      config: readConfig(given),
      now: () => new Date(),
      clocks() {
        const { monotonicMs, wallMs } = doClocksStand ? startedAt : readClocks();
        return { monotonicMs: monotonicMs + ahead.monotonicMs, wallMs: wallMs + ahead.wallMs };
      },
    });
  const connection = opened.use(await start(full));
  const running = opened.move();
  return {
    connection,
    messages,
    facts,
    upstream,
    nats,
    env: full,
    ahead,
    writeToken,
    wake: () => nats.publish(`wa.wake.${phoneNumberId}`),
    startAnother: async (changes) => running.use(await start({ ...full, ...changes })),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** One of the process' own, without its prefix. */
export async function metric(world: World, name: string): Promise<number> {
  const text = await (await fetch(`${world.connection.http}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`heliograph_connection_${name}{`));
  return Number(line?.split(" ").at(-1) ?? Number.NaN);
}
