import { now } from "#lib/clock.ts";
import { run } from "#lib/lifecycle.ts";
import { readConfig } from "./config.ts";
import { startBilling } from "./start.ts";

await run(() => startBilling({ config: readConfig(), now }));
