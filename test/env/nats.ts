// A nats-server of one's own: it starts in 20 ms, and a test may stop it and start it again.
import { mkdir, rm } from "node:fs/promises";
import { startNats, type NatsServer } from "#local/nats.ts";
import { findFreePort } from "#local/server-process.ts";
import { privateFolder } from "./folder.ts";
import { testLog } from "./log.ts";

export type PrivateNats = AsyncDisposable & {
  url: string;
  /** Ends the server; connections see it go. */
  stop(): Promise<void>;
  /** Starts it again at the same address with the data it had. */
  start(): Promise<void>;
  /** Ends the server and loses all that it had. */
  lose(): Promise<void>;
};

/** With JetStream and without fsync. */
export async function privateNats(): Promise<PrivateNats> {
  const binary = process.env["HELIOGRAPH_TEST_NATS"];
  if (binary === undefined) throw new Error("no nats-server: run with --test-global-setup=test/env/global-setup.ts");
  const host = "127.0.0.1";
  const port = await findFreePort(host);
  const storeDir = privateFolder("nats");
  let server: NatsServer | undefined;
  const start = async (): Promise<void> => {
    server ??= await startNats({ binary, storeDir, port, host, log: testLog, fsync: false });
  };
  const stop = async (): Promise<void> => {
    await server?.[Symbol.asyncDispose]();
    server = undefined;
  };
  await start();
  const lose = async (): Promise<void> => {
    await stop();
    await rm(storeDir, { recursive: true });
    await mkdir(storeDir);
  };
  return { url: `nats://${host}:${port}`, start, stop, lose, [Symbol.asyncDispose]: stop };
}
