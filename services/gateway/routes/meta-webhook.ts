// /webhooks/meta: what WhatsApp tells us. 200 is answered only when the ledger has it; anything else makes Meta repeat.
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { parseWebhook } from "#dialects/cloud-webhook-in.ts";
import { verify } from "#dialects/signature.ts";
import { readSecretFile } from "#lib/config.ts";
import { faultPoint } from "#lib/fault-points.ts";
import type { Client } from "#lib/grpc.ts";
import type { Log } from "#lib/log.ts";
import { withRemoteSpan } from "#lib/telemetry.ts";
import type { IngestRequest, MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { cloudFault } from "../errors.ts";
import type { Metrics } from "../metrics.ts";
import { rawBody } from "../request-body.ts";
import { tryDeadlineMs, withRetries } from "../retries.ts";
import type { AppSecrets } from "../secrets.ts";

export type MetaWebhookDependencies = {
  messages: Pick<Client<typeof MessagesService>, "ingest">;
  appSecrets: AppSecrets;
  verifyTokenFile: string;
  bodyLimitBytes: number;
  metrics: Metrics;
  now: () => Date;
  log: Log;
};

const path = "/webhooks/meta";

export function addMetaWebhookRoutes(app: FastifyInstance, dependencies: MetaWebhookDependencies): void {
  app.get<{ Querystring: Record<string, string | string[] | undefined> }>(path, async ({ query }, reply) => {
    const { "hub.mode": mode, "hub.verify_token": token, "hub.challenge": challenge = "" } = query;
    const expected = readSecretFile(dependencies.verifyTokenFile);
    if (mode !== "subscribe" || typeof token !== "string" || !isEqual(token, expected)) {
      throw cloudFault("verify_token_invalid", "hub.mode must be subscribe and hub.verify_token the agreed one");
    }
    return reply.type("text/plain").send(String(challenge));
  });
  app.post(path, { bodyLimit: dependencies.bodyLimitBytes }, async (request, reply) => {
    const traceparent = request.headers["traceparent"];
    await withRemoteSpan("POST webhooks/meta", typeof traceparent === "string" ? traceparent : undefined, () =>
      ingest(dependencies, request),
    );
    return reply.type("text/plain").send("EVENT_RECEIVED");
  });
}

/** In a time that tells nothing of where they differ. */
function isEqual(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

async function ingest(dependencies: MetaWebhookDependencies, request: FastifyRequest): Promise<void> {
  const { messages, appSecrets, metrics, now } = dependencies;
  const body = rawBody(request);
  const signature = request.headers["x-hub-signature-256"];
  if (!verify(appSecrets.current(), body, typeof signature === "string" ? signature : undefined)) {
    metrics.badSignatures.inc();
    throw cloudFault("signature_invalid", "X-Hub-Signature-256 is not that of a known app for this body");
  }
  const news = parseWebhook(body, now());
  const counts = countsOf(news);
  if (counts.every(([, count]) => count === 0)) return;
  faultPoint("call.ingest.before");
  await withRetries(() => messages.ingest(news, { deadlineMs: tryDeadlineMs }));
  faultPoint("call.ingest.after");
  for (const [kind, count] of counts) if (count > 0) metrics.ingested.inc({ kind }, count);
  if (news.unparsed.length > 0) report(dependencies.log, request.id, news);
}

function countsOf({ statuses, inbound, accountUpdates, unparsed }: IngestRequest): [kind: string, count: number][] {
  return [
    ["status", statuses.length],
    ["inbound", inbound.length],
    ["account", accountUpdates.length],
    ["unparsed", unparsed.length],
  ];
}

/** The faults name places and types; the bodies, which may hold messages, are in the ledger. */
function report(log: Log, requestId: string, { unparsed }: IngestRequest): void {
  const faults = unparsed.slice(0, 5).map(({ error }) => error);
  log.warn({ requestId, unparsed: unparsed.length, faults }, "webhook was not understood, kept as it came");
}
