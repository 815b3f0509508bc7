// The services that the operator calls, and the connection processes behind them.
import type { Logger } from "pino";
import { type Client, createClient } from "#lib/grpc.ts";
import type { GrpcTls } from "#lib/grpc-tls.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { WebhooksService } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";

export type Services = AsyncDisposable & {
  messages: Client<typeof MessagesService>;
  quality: Client<typeof QualityService>;
  templates: Client<typeof TemplatesService>;
  webhooks: Client<typeof WebhooksService>;
  /** Calls the connection process at `address`, as its lease names it. */
  upstream<T>(address: string, call: (upstream: Client<typeof UpstreamService>) => Promise<T>): Promise<T>;
};

type Addresses = Record<"MESSAGES_ADDRESS" | "QUALITY_ADDRESS" | "TEMPLATES_ADDRESS" | "WEBHOOKS_ADDRESS", string>;

/** WhatsApp may take its time. */
const upstreamMs = 20_000;

export function openServices(addresses: Addresses, log: Logger, tls?: GrpcTls): Services {
  const opened = new AsyncDisposableStack();
  return {
    messages: opened.use(createClient(MessagesService, addresses.MESSAGES_ADDRESS, { log, tls })),
    quality: opened.use(createClient(QualityService, addresses.QUALITY_ADDRESS, { log, tls })),
    templates: opened.use(createClient(TemplatesService, addresses.TEMPLATES_ADDRESS, { log, tls })),
    webhooks: opened.use(createClient(WebhooksService, addresses.WEBHOOKS_ADDRESS, { log, tls })),
    async upstream(address, call) {
      await using upstream = createClient(UpstreamService, address, { deadlineMs: upstreamMs, log, tls });
      return await call(upstream);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Everything else changes the service, or WhatsApp. */
const reading = /^(get|batchGet|list|watch|check|sync)/;

/**
 * Services have no fence of their own against an operator that was overtaken: what changes something rejects unless this process leads.
 * A request may still arrive after the lease was lost; but none is begun then.
 */
export function fencedServices(services: Services, term: () => number | undefined): Services {
  const fence = <Fenced extends object>(client: Fenced): Fenced => fencedCalls(client, term);
  return {
    messages: fence(services.messages),
    quality: fence(services.quality),
    templates: fence(services.templates),
    webhooks: fence(services.webhooks),
    upstream: (address, call) => services.upstream(address, (upstream) => call(fence(upstream))),
    [Symbol.asyncDispose]: () => services[Symbol.asyncDispose](),
  };
}

function fencedCalls<Fenced extends object>(client: Fenced, term: () => number | undefined): Fenced {
  return new Proxy(client, {
    get(target, name): unknown {
      const call: unknown = Reflect.get(target, name);
      if (typeof call !== "function" || typeof name !== "string" || reading.test(name)) return call;
      return async (...args: unknown[]): Promise<unknown> => {
        if (term() === undefined) throw new Error(`${name} not called: this process does not lead`);
        return Reflect.apply(call, target, args);
      };
    },
  });
}
