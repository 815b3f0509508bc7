import { now } from "#lib/clock.ts";
import { run } from "#lib/lifecycle.ts";
import { readConfig } from "./config.ts";
import { startQuality } from "./start.ts";

await run(() => startQuality({ config: readConfig(), now }));
