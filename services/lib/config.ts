// Reads configuration from the environment: one zod schema a service, every fault reported at once.
// An empty variable counts as not set, because z.coerce.number() would read it as 0. Any variable may stand in a file instead, whose
// path is in NAME_FILE: a URL with a password in it is then not in the environment.
import { readFileSync } from "node:fs";
import { z } from "zod";

/** The configuration cannot be used. `faults` has one line for each variable or file that is wrong. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`configuration is not usable:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`);
    this.faults = faults;
  }
}

/** Checks the environment against the schema and returns the typed values. Throws ConfigError naming every fault. */
export function readEnv<Schema extends z.ZodObject>(
  schema: Schema,
  env: Record<string, string | undefined>,
): z.output<Schema> {
  const given = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => {
      const file = `${name}_FILE` in schema.shape ? undefined : env[`${name}_FILE`];
      const value = env[name] || readFromFile(file);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new ConfigError(result.error.issues.map((issue) => faultOf(issue, given)));
}

function readFromFile(path: string | undefined): string | undefined {
  return path === undefined || path === "" ? undefined : readSecretFile(path);
}

function faultOf(issue: z.core.$ZodIssue, given: Record<string, unknown>): string {
  const name = issue.path.map(String).join(".");
  if (issue.path.length === 1 && given[name] === undefined) return `${name} is not set`;
  return name === "" ? issue.message : `${name}: ${issue.message}`;
}

/** A TCP port; 0 lets the system choose a free one. */
export const port = z.coerce.number().int().min(0).max(65_535);

/** A length of time in milliseconds. The variable's name ends in _MS. */
export const durationMs = z.coerce.number().int().min(0);

/** How much is logged; `silent` is for tests. */
export const logLevel = z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]);

/** A host name or address without a port. */
export const host = z.string().regex(/^[A-Za-z0-9.:_-]+$/, "expected a host name or address");

/** Where a peer's gRPC is served: host:port, an IPv6 address in brackets. */
export const peerAddress = z.string().regex(/^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/, "expected host:port");

/** The path of a file, absolute or from the working directory. Whether it exists is checked when it is read. */
export const filePath = z.string().min(1);

/** A folder with ca.crt, tls.crt and tls.key, read again when they change. Set: TLS with certificates on both sides; see docs/tls.md. */
const tlsFolder = filePath.optional();

/** What every process reads. Pods set LISTEN_HOST to 0.0.0.0; the default keeps a laptop's ports private. */
export const processEnv = {
  LISTEN_HOST: host.default("127.0.0.1"),
  GRPC_PORT: port.default(0),
  HTTP_PORT: port.default(0),
  LOG_LEVEL: logLevel.default("info"),
  GRPC_TLS_DIR: tlsFolder,
};

/** What every process with a Postgres schema reads. */
export const databaseEnv = {
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: "expected postgres://user:password@host/database" }),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(500).default(10),
  DATABASE_TLS_DIR: tlsFolder,
};

/** What every process that publishes or reads events reads. Several servers are separated by commas. */
export const natsEnv = {
  NATS_URL: z.string().regex(/^(nats|tls):\/\//, "expected nats://host:port"),
  NATS_TLS_DIR: tlsFolder,
};

/** The content of a mounted secret without surrounding white space. Throws ConfigError if it is missing or empty. */
export function readSecretFile(path: string): string {
  let content: string;
  try {
    content = readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new ConfigError([
      `secret file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    ]);
  }
  if (content === "") throw new ConfigError([`secret file ${path} is empty`]);
  return content;
}

/**
 * What test/chaos sets and nobody else; see fault-points.ts and clock.ts. The schema is made when asked for: the image, which never
 * asks, has no trace of it.
 */
export function readFaults(env: Record<string, string | undefined> = process.env) {
  const schema = z.object({
    /** `<point>:<n>`: the process kills itself when it passes that point for the n-th time. */
    HELIOGRAPH_FAULT_POINT: z
      .string()
      .regex(/^[a-z_.]+:[1-9]\d{0,5}$/, "expected <point>:<number>")
      .optional(),
    /** The guard that is switched off, to see whether the judges notice. */
    HELIOGRAPH_MUTATE: z.enum(["no_fence", "no_intent"]).optional(),
    /** The file that holds by how many ms the wall clock of the process is wrong. */
    HELIOGRAPH_CLOCK_OFFSET_FILE: filePath.optional(),
  });
  return readEnv(schema, env);
}
