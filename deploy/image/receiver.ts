import { run } from "#lib/lifecycle.ts";
import { startFrom } from "#local/receiver.ts";

await run(() => startFrom(process.env));
