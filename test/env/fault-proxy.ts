// Stands in front of an API server and spoils what it is told to: answers before they begin, or watches after some lines.
// Speaks plain HTTP to the client, so that it can cut and repeat lines.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Agent, request } from "node:https";
import { lines } from "#operator/runtime/json-lines.ts";
import { sleep } from "#lib/lifecycle.ts";
import type { Kube } from "./kube.ts";

/** Of an answer as a whole. Seconds go into Retry-After. */
type AnswerFault =
  | { kind: "reset" }
  | { kind: "blackHole" }
  | { kind: "status"; status: number; retryAfterSeconds?: number };

/** After so many lines of a watch; where it can live on, it ends twenty lines later. */
type WatchFault = { afterLines: number } & (
  | { kind: "resetStream" }
  /** No byte more, and no end. */
  | { kind: "silence" }
  /** The last lines arrive in halves, each late. */
  | { kind: "slow"; ms: number }
  /** Ends in order, after a line or in the middle of one. */
  | { kind: "end" }
  | { kind: "cut" }
  /** An ERROR event that says the version is gone. */
  | { kind: "expired" }
  /** All that this watch has told comes again, before its last lines. */
  | { kind: "repeat" }
);

export type Fault = AnswerFault | WatchFault;

export type FaultProxy = AsyncDisposable & {
  url: string;
  /** How often each kind was done. */
  counts: Map<Fault["kind"], number>;
};

type ProxyOptions = {
  kube: Kube;
  /** Asked for each request; undefined lets it pass. */
  choose: (request: { method: string; path: string; isWatch: boolean }) => Fault | undefined;
};

/** Of a watch that lives on after its fault. */
const lastLines = 20;

/** Disposing ends every connection. */
export async function startFaultProxy({ kube, choose }: ProxyOptions): Promise<FaultProxy> {
  const counts = new Map<Fault["kind"], number>();
  const count = (kind: Fault["kind"]): void => void counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? "/";
    const fault = choose({ method: incoming.method ?? "GET", path, isWatch: /[?&]watch=true/.test(path) });
    const answerFault = fault !== undefined && !("afterLines" in fault) ? fault : undefined;
    if (answerFault !== undefined) {
      count(answerFault.kind);
      spoilAnswer(answerFault, incoming, outgoing);
      return;
    }
    const onward = request(new URL(path, kube.url), {
      agent,
      ca: kube.ca,
      method: incoming.method,
      headers: { ...incoming.headers, host: new URL(kube.url).host },
    });
    onward.on("error", () => incoming.destroy());
    onward.on("response", (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      // A client that has gone takes the watch behind it along.
      outgoing.on("close", () => onward.destroy());
      if (fault === undefined || !("afterLines" in fault)) answer.on("error", () => incoming.destroy()).pipe(outgoing);
      else spoilWatch(fault, answer, outgoing, () => count(fault.kind)).catch(() => incoming.destroy());
    });
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the fault proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    counts,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
}

function spoilAnswer(fault: AnswerFault, incoming: IncomingMessage, outgoing: ServerResponse): void {
  if (fault.kind === "blackHole") return;
  if (fault.kind === "reset") {
    incoming.socket.resetAndDestroy();
    return;
  }
  const { status, retryAfterSeconds } = fault;
  const headers = { ...(retryAfterSeconds !== undefined && { "retry-after": String(retryAfterSeconds) }) };
  incoming.resume();
  outgoing.writeHead(status, { "content-type": "application/json", ...headers });
  outgoing.end(JSON.stringify(statusObject(status)));
}

async function spoilWatch(
  fault: WatchFault,
  answer: IncomingMessage,
  outgoing: ServerResponse,
  onFault: () => void,
): Promise<void> {
  const told: string[] = [];
  for await (const line of lines(answer)) {
    if (told.length === fault.afterLines) {
      onFault();
      const middle = Math.floor(line.length / 2);
      switch (fault.kind) {
        case "resetStream":
          outgoing.socket?.resetAndDestroy();
          return;
        case "silence":
          return;
        case "end":
          outgoing.end();
          return;
        case "cut":
          outgoing.end(line.slice(0, middle));
          return;
        case "expired":
          outgoing.end(`${JSON.stringify({ type: "ERROR", object: statusObject(410) })}\n`);
          return;
        case "repeat":
          for (const each of told) outgoing.write(`${each}\n`);
          break;
        case "slow":
          break;
      }
    }
    if (told.length === fault.afterLines + lastLines) break;
    if (fault.kind === "slow" && told.length >= fault.afterLines) {
      outgoing.write(line.slice(0, 10));
      await sleep(fault.ms);
      outgoing.write(`${line.slice(10)}\n`);
    } else outgoing.write(`${line}\n`);
    told.push(line);
  }
  outgoing.end();
}

function statusObject(code: number): Record<string, unknown> {
  const reason = code === 410 ? "Expired" : code === 429 ? "TooManyRequests" : "InternalError";
  return { kind: "Status", apiVersion: "v1", status: "Failure", message: `made by the fault proxy`, reason, code };
}
