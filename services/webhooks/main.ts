import { now } from "#lib/clock.ts";
import { run } from "#lib/lifecycle.ts";
import { readConfig } from "./config.ts";
import { startWebhooks } from "./start.ts";

await run(() => startWebhooks({ config: readConfig(), now }));
