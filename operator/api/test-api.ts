// The API server as tests of our kinds speak to it: plain requests, and the causes of a refusal.
import { Agent } from "undici";
import { z } from "zod";
import type { Kube } from "#test/env/kube.ts";
import type { Change } from "./test-rules.ts";

export type Answer = { status: number; body: unknown };

type Request = { body?: Change; query?: Record<string, string>; contentType?: string; accept?: string };

export type Api = AsyncDisposable & {
  send(method: "GET" | "POST" | "PUT" | "PATCH", path: string, request?: Request): Promise<Answer>;
};

export function openApi({ url, ca, token }: Kube): Api {
  const agent = new Agent({ connect: { ca } });
  return {
    async send(method, path, { body, query, contentType = "application/json", accept = "application/json" } = {}) {
      const answer = await agent.request({
        origin: url,
        path,
        method,
        ...(query !== undefined && { query }),
        headers: { authorization: `Bearer ${token}`, accept, "content-type": contentType },
        body: body === undefined ? null : JSON.stringify(body),
      });
      return { status: answer.statusCode, body: await answer.body.json() };
    },
    [Symbol.asyncDispose]: () => agent.close(),
  };
}

const refusal = z.object({
  details: z.object({ causes: z.array(z.object({ field: z.string(), message: z.string() })) }),
});

/** What the server says of an invalid object, each as `field: message`; the value that it quotes is left out. */
export function causesOf({ status, body }: Answer): string[] {
  if (status < 300) return [];
  const parsed = refusal.safeParse(body);
  if (!parsed.success) throw new Error(`not the refusal of an invalid object: ${JSON.stringify(body)}`);
  return parsed.data.details.causes.map(({ field, message }) => {
    const words = message.replace(quotes, "");
    return `${field}: ${words.startsWith(`${field} in body `) ? words.slice(`${field} in body `.length) : words}`;
  });
}

// As `Invalid value: "ftp://x": must be …`, `Invalid value: must be …`, `Required value: must be …`, `Too long: may not …`.
const quotes =
  /^(?:Invalid value(?:: (?:"(?:[^"\\]|\\.)*"|\{.*\}|-?\d+|null))?|Unsupported value: "[^"]*"|Required value|Forbidden|Too long|Too many: \d+): /s;
