// TLS with certificates on both sides, from the folders that GRPC_TLS_DIR, NATS_TLS_DIR and DATABASE_TLS_DIR name. Where one is not
// set, that kind of connection is plain.
import { Gauge, type Registry } from "prom-client";
import { ConfigError } from "./config.ts";
import { createGrpcTls, type GrpcTls } from "./grpc-tls.ts";
import { loop } from "./lifecycle.ts";
import type { Log } from "./log.ts";
import { openTlsFiles, type TlsFiles } from "./tls-files.ts";

type TlsConfig = Partial<Record<"GRPC_TLS_DIR" | "NATS_TLS_DIR" | "DATABASE_TLS_DIR", string | undefined>>;

export type Tls = AsyncDisposable & {
  grpc: GrpcTls | undefined;
  nats: TlsFiles | undefined;
  database: TlsFiles | undefined;
};

type TlsOptions = {
  log: Log;
  /** Where it is shown until when certificates are valid. */
  registry?: Registry;
  /** How often the files are looked at. Default 5 s; a changed Secret takes a minute to reach them. */
  lookEveryMs?: number;
};

/** Throws ConfigError with a line for each file that cannot be used. Disposing ends the looking. */
export function openTls(config: TlsConfig, { log, registry, lookEveryMs = 5_000 }: TlsOptions): Tls {
  const faults: string[] = [];
  const opened = new Map<string, TlsFiles>();
  const open = (variable: keyof TlsConfig, needsName: boolean): TlsFiles | undefined => {
    const folder = config[variable];
    if (folder === undefined) return undefined;
    try {
      const files = openTlsFiles({ variable, folder, needsName, log });
      opened.set(variable, files);
      return files;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      faults.push(...error.faults);
      return undefined;
    }
  };
  const grpc = open("GRPC_TLS_DIR", true);
  const nats = open("NATS_TLS_DIR", false);
  const database = open("DATABASE_TLS_DIR", false);
  if (faults.length > 0) throw new ConfigError(faults);
  if (registry !== undefined && opened.size > 0) showExpiry(registry, opened);
  const task = async (): Promise<void> => {
    for (const files of opened.values()) files.look(new Date());
  };
  const looking = opened.size === 0 ? undefined : loop({ name: "certificates", intervalMs: lookEveryMs, log, task });
  return {
    grpc: grpc && createGrpcTls(grpc, log),
    nats,
    database,
    [Symbol.asyncDispose]: async () => looking?.[Symbol.asyncDispose](),
  };
}

function showExpiry(registry: Registry, opened: ReadonlyMap<string, TlsFiles>): void {
  const gauge = new Gauge({
    name: "tls_certificate_expires_at_seconds",
    help: "When the certificate in use stops being valid, in Unix time, by the variable that names its folder",
    labelNames: ["variable"],
    registers: [registry],
    collect() {
      for (const [variable, files] of opened) gauge.set({ variable }, files.current().validTo.getTime() / 1_000);
    },
  });
}
