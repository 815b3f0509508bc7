// Where each part is reached: as the caller said, else as the run file of a local run says.
import { fileURLToPath } from "node:url";
import { resolve } from "node:path";
import { readSecretFile } from "#lib/config.ts";
import { ServiceError } from "#lib/errors.ts";
import type { Config } from "./config.ts";
import { readNatsUrl, readRunFile, type RunProcess } from "./run-file.ts";

/** Each throws place_unknown where nobody said. */
export type Places = {
  /** Base URL, without a slash at the end. */
  gateway(): string;
  token(): string;
  messages(): string;
  quality(): string;
  templates(): string;
  nats(): string;
  /** Of the local run; empty where there is none. */
  processes: readonly RunProcess[];
};

const projectFolder = fileURLToPath(new URL("../../", import.meta.url));

/** Reads the run file. A data folder that was named counts from `cwd`, the default one from the project. */
export function findPlaces(config: Config, cwd: string): Places {
  const { HELIOGRAPH_DATA } = config;
  const folder = HELIOGRAPH_DATA === undefined ? resolve(projectFolder, ".heliograph") : resolve(cwd, HELIOGRAPH_DATA);
  const run = readRunFile(folder);
  const need = (place: string | undefined, what: string, flag: string): string => {
    if (place !== undefined) return place;
    const message = `nothing runs on ${folder}, so ${what} is not known: start it with npm start, or name another folder with --data, or give ${flag}`;
    throw new ServiceError("FAILED_PRECONDITION", "place_unknown", message);
  };
  const grpcOf = (name: string): string | undefined =>
    run?.processes.find((one) => one.name === name)?.grpc ?? undefined;
  const tokenOf = (file: string | undefined): string | undefined =>
    file === undefined ? run?.token : readSecretFile(resolve(cwd, file));
  return {
    gateway: () => need(config.GATEWAY_URL ?? run?.gateway, "the gateway", "--gateway URL").replace(/\/+$/, ""),
    token: () => need(tokenOf(config.API_TOKEN_FILE), "the token", "--token-file FILE"),
    messages: () => need(config.MESSAGES_ADDRESS ?? grpcOf("messages"), "the messages service", "--messages HOST:PORT"),
    quality: () => need(config.QUALITY_ADDRESS ?? grpcOf("quality"), "the quality service", "--quality HOST:PORT"),
    templates: () =>
      need(config.TEMPLATES_ADDRESS ?? grpcOf("templates"), "the templates service", "--templates HOST:PORT"),
    nats: () => need(config.NATS_URL ?? (run && readNatsUrl(folder)), "NATS", "--nats URL"),
    processes: run?.processes ?? [],
  };
}
