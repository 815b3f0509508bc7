// What a local run (`npm start`) says of itself in its data folder: run.json, and the port in the configuration of its NATS.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const processSchema = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  http: z.string().nullable(),
  grpc: z.string().nullable(),
  command: z.string(),
});

const runSchema = z.object({ gateway: z.string(), token: z.string(), processes: z.array(processSchema) });

export type RunFile = z.output<typeof runSchema>;
export type RunProcess = z.output<typeof processSchema>;

/** Undefined where nothing runs. Throws if the file is there and is no run file. */
export function readRunFile(dataFolder: string): RunFile | undefined {
  const path = join(dataFolder, "run.json");
  const text = readText(path);
  if (text === undefined) return undefined;
  const { data, error } = z.preprocess(parseJson, runSchema).safeParse(text);
  if (error !== undefined) throw new Error(`${path} is not the run file of a local run`, { cause: error });
  return data;
}

/** The address of the run's NATS; undefined where there is none. */
export function readNatsUrl(dataFolder: string): string | undefined {
  const text = readText(join(dataFolder, "nats", "nats-server.conf")) ?? "";
  const [, host] = /^host: "(.+)"$/m.exec(text) ?? [];
  const [, port] = /^port: (\d+)$/m.exec(text) ?? [];
  if (host === undefined || port === undefined) return undefined;
  const isAnywhere = host === "0.0.0.0" || host === "::";
  const reachable = isAnywhere ? "127.0.0.1" : host;
  return `nats://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw error;
  }
}

function parseJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}
