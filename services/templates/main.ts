import { now } from "#lib/clock.ts";
import { run } from "#lib/lifecycle.ts";
import { readConfig } from "./config.ts";
import { startTemplates } from "./start.ts";

await run(() => startTemplates({ config: readConfig(), now }));
