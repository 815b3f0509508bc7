// What goes into the Authorization header, and when it is read again.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { z } from "zod";

export type Authorization = {
  /** The header's value, undefined for none. */
  header(nowMs: number): Promise<string | undefined>;
  /** The server did not take it: the next header is made anew. */
  refused(): void;
};

const rereadMs = 60_000;
const execMs = 60_000;

export const noAuthorization: Authorization = { header: () => Promise.resolve(undefined), refused: () => undefined };

export function bearer(token: string): Authorization {
  return { header: () => Promise.resolve(`Bearer ${token}`), refused: () => undefined };
}

/** Read again each minute: the kubelet changes it in place, hourly. A failed reading keeps the token that was. */
export function tokenFile(path: string): Authorization {
  return kept(async (nowMs) => ({
    token: (await readFile(path, "utf8")).trim(),
    validUntilMs: nowMs + rereadMs,
  }));
}

const credential = z.object({
  status: z.object({ token: z.string(), expirationTimestamp: z.iso.datetime().optional() }),
});

type Plugin = { apiVersion: string; command: string; args: string[]; env: Record<string, string | undefined> };

/** A program that prints an ExecCredential with a token, as the tools of cloud providers do. */
export function execPlugin({ apiVersion, command, args, env }: Plugin): Authorization {
  const request = JSON.stringify({ apiVersion, kind: "ExecCredential", spec: { interactive: false } });
  return kept(async () => {
    const options = { env: { ...env, KUBERNETES_EXEC_INFO: request }, timeout: execMs };
    const { stdout } = await promisify(execFile)(command, args, options);
    const { token, expirationTimestamp } = credential.parse(JSON.parse(stdout)).status;
    const validUntilMs = expirationTimestamp === undefined ? Infinity : Date.parse(expirationTimestamp) - rereadMs;
    return { token, validUntilMs };
  });
}

type Token = { token: string; validUntilMs: number };

/** One reading at a time, for all that ask meanwhile. */
function kept(read: (nowMs: number) => Promise<Token>): Authorization {
  let current: Token | undefined;
  let reading: Promise<Token> | undefined;
  const renew = async (nowMs: number): Promise<Token> => {
    try {
      current = await read(nowMs);
      return current;
    } catch (error) {
      if (current === undefined) throw error;
      return current;
    } finally {
      reading = undefined;
    }
  };
  return {
    async header(nowMs) {
      if (current === undefined || nowMs >= current.validUntilMs) {
        reading ??= renew(nowMs);
        return `Bearer ${(await reading).token}`;
      }
      return `Bearer ${current.token}`;
    },
    refused() {
      if (current !== undefined) current = { ...current, validUntilMs: 0 };
    },
  };
}
