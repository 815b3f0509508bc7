// Tests are silent unless TEST_LOG_LEVEL says otherwise, as in `TEST_LOG_LEVEL=info npm test`.
import { createLog } from "#lib/log.ts";

export const testLog = createLog({ service: "test", level: process.env["TEST_LOG_LEVEL"] ?? "silent" });
