import { now } from "#lib/clock.ts";
import { run } from "#lib/lifecycle.ts";
import { readConfig } from "./config.ts";
import { startMessages } from "./start.ts";

await run((signal) => startMessages({ config: readConfig(), now, signal }));
