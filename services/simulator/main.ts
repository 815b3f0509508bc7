// WhatsApp itself, for tests and first tries.
import { run } from "#lib/lifecycle.ts";
import { readConfig } from "./config.ts";
import { startSimulator } from "./start.ts";

await run(() => startSimulator({ config: readConfig(), now: () => new Date() }));
