// JSON log lines on stdout. Secrets and message content are removed by key name, however deep they stand;
// phone numbers must be passed through maskPhone by whoever logs them.
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";

export type Log = Logger;

type LogOptions = {
  service: string;
  level: string;
  /** Where lines go; stdout unless told, which is written synchronously so that a crash loses none. */
  destination?: DestinationStream;
};

export function createLog({ service, level, destination }: LogOptions): Log {
  const options = {
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    messageKey: "message",
    // For bindings of child loggers, which no formatter sees; by pino's own means, so at the top level only.
    redact: { paths: [...secretKeys, "accessToken", "access_token", "appSecret", "app_secret"], censor: removed },
    serializers: { err: describeError, error: describeError },
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: Record<string, unknown>) => redact(fields, 0),
    },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** Keeps the first two and last two digits: enough to tell numbers apart in a log, too little to call one. */
export function maskPhone(digits: string): string {
  if (digits.length <= 4) return "*".repeat(digits.length);
  return digits.slice(0, 2) + "*".repeat(digits.length - 4) + digits.slice(-2);
}

const secretKeys = new Set([
  "token",
  "accesstoken",
  "secret",
  "appsecret",
  "authorization",
  "password",
  "pin",
  "cookie",
  "body",
  "text",
  "caption",
  "content",
  "payload",
  "parameters",
]);
const removed = "[removed]";
const maxDepth = 5;

function redact(fields: Record<string, unknown>, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    result[key] = secretKeys.has(key.toLowerCase().replaceAll("_", "")) ? removed : redactValue(value, depth);
  }
  return result;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null || value instanceof Error || value instanceof Date) return value;
  if (depth >= maxDepth) return "[too deep]";
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  return redact({ ...value }, depth + 1);
}

/** Chosen fields only: a database error's `detail` and a library error's request carry the values of rows and messages. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return redactValue(error, 0);
  return {
    type: error.name,
    message: error.message,
    ...("code" in error && { code: error.code }),
    ...("reason" in error && { reason: error.reason }),
    ...(error.stack !== undefined && { stack: error.stack }),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
