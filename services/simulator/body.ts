// Reads a request's body: JSON, or, where forms are taken, a form whose values may be JSON.
import type { IncomingMessage } from "node:http";

const maxBytes = 5 * 1024 * 1024;

export type Body = { kind: "value"; value: unknown } | { kind: "invalid" } | { kind: "too_large" };

type BodyOptions = {
  /** /admin takes JSON under any content type, so that `curl -d` needs no header. */
  forms: boolean;
};

/** Rejects if the client goes away in the middle. */
export async function readBody(request: IncomingMessage, { forms }: BodyOptions): Promise<Body> {
  const bytes = await collect(request);
  if (bytes === undefined) return { kind: "too_large" };
  if (bytes.length === 0) return { kind: "value", value: undefined };
  const text = bytes.toString("utf8");
  if (forms && request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded")) {
    return { kind: "value", value: fromForm(new URLSearchParams(text)) };
  }
  return parseJson(text);
}

function collect(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
    });
    request.on("end", () => resolve(size > maxBytes ? undefined : Buffer.concat(chunks)));
    request.on("error", reject);
    request.on("close", () => reject(new Error("request ended before its body did")));
  });
}

function parseJson(text: string): Body {
  try {
    const value: unknown = JSON.parse(text);
    return { kind: "value", value };
  } catch {
    // The parser's error would carry a piece of the body.
    return { kind: "invalid" };
  }
}

function fromForm(form: URLSearchParams): object {
  return Object.fromEntries(
    Array.from(form, ([name, text]) => {
      const parsed = /^[[{]/.test(text) ? parseJson(text) : undefined;
      return [name, parsed?.kind === "value" ? parsed.value : text];
    }),
  );
}
