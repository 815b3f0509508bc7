import { now, wallMs } from "#lib/clock.ts";
import { run } from "#lib/lifecycle.ts";
import { readConfig } from "./config.ts";
import { startConnection } from "./start.ts";

await run(() =>
  startConnection({
    config: readConfig(process.env, process.argv.slice(2)),
    now,
    clocks: () => ({ monotonicMs: performance.now(), wallMs: wallMs() }),
  }),
);
