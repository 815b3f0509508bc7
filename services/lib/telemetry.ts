// Traces with OpenTelemetry. The SDK costs 184 ms and 39 MiB, so it is loaded only when an endpoint is configured;
// without it spans cost next to nothing, and an incoming traceparent is still handed on by whoever passes it explicitly.
import { type Attributes, type Context, context, isSpanContextValid, SpanStatusCode, trace } from "@opentelemetry/api";

let enabled = false;
const exportTimeoutMs = 2_000;

/**
 * Starts exporting spans if OTEL_EXPORTER_OTLP_ENDPOINT is set in `env`; else does nothing.
 * Dispose after everything else: it flushes what was recorded.
 */
export async function startTelemetry(
  service: string,
  env: { OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined },
): Promise<AsyncDisposable> {
  const url = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (url === undefined || url === "") return { [Symbol.asyncDispose]: () => Promise.resolve() };
  const { NodeSDK } = await import("@opentelemetry/sdk-node");
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-grpc");
  const sdk = new NodeSDK({
    serviceName: service,
    traceExporter: new OTLPTraceExporter({ url, timeoutMillis: exportTimeoutMs }),
    instrumentations: [],
  });
  sdk.start();
  enabled = true;
  return {
    async [Symbol.asyncDispose]() {
      enabled = false;
      // A collector that is away must not hold up the exit of the process.
      await sdk.shutdown().catch(() => undefined);
    },
  };
}

/** Runs `fn` in a span that ends with it and records its failure. */
export function withSpan<T>(name: string, attributes: Attributes, fn: () => Promise<T>): Promise<T> {
  if (!enabled) return fn();
  return trace.getTracer("heliograph").startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await fn();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** What carries a trace over a border: gRPC metadata, NATS headers, an outbox row. */
export type Carrier = { set(name: "traceparent", value: string): void };

/** The W3C traceparent of the current span, to be sent with what it causes; undefined outside of one. */
export function currentTraceparent(): string | undefined {
  if (!enabled) return undefined;
  const span = trace.getSpanContext(context.active());
  if (span === undefined || !isSpanContextValid(span)) return undefined;
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, "0")}`;
}

/** Writes the current span into the carrier, if there is one. */
export function injectTrace(carrier: Carrier): void {
  const traceparent = currentTraceparent();
  if (traceparent !== undefined) carrier.set("traceparent", traceparent);
}

const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The context a caller's traceparent describes; the active one if it is missing or malformed. */
export function extractTrace(traceparent: string | undefined): Context {
  const [, traceId, spanId, flags] = traceparentPattern.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return context.active();
  const spanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(spanContext) ? trace.setSpanContext(context.active(), spanContext) : context.active();
}

/** Runs `fn` in a span whose parent is the caller's traceparent: the first thing an incoming request or event does. */
export function withRemoteSpan<T>(name: string, traceparent: string | undefined, fn: () => Promise<T>): Promise<T> {
  if (!enabled) return fn();
  return context.with(extractTrace(traceparent), () => withSpan(name, {}, fn));
}
