import { run } from "#lib/lifecycle.ts";
import { readConfig } from "./config.ts";
import { startConnection } from "./start.ts";

await run(() =>
  startConnection({
    config: readConfig(process.env, process.argv.slice(2)),
    now: () => new Date(),
    clocks: () => ({ monotonicMs: performance.now(), wallMs: Date.now() }),
  }),
);
