import { now } from "#lib/clock.ts";
import { run } from "#lib/lifecycle.ts";
import { readConfig } from "./config.ts";
import { startGateway } from "./start.ts";

await run(() => startGateway({ config: readConfig(), now }));
