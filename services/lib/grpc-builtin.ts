// What every gRPC server of ours offers besides its own services and reflection: the standard health service.
import { HealthCheckResponse_ServingStatus as Status } from "#proto/grpc/health/v1/health_pb.ts";
import { ServiceError } from "./errors.ts";

type Answer = { status: Status };

export type HealthState = {
  handlers: {
    check(request: { service: string }): Promise<Answer>;
    watch(request: { service: string }, context: { signal: AbortSignal }): AsyncGenerator<Answer>;
  };
  /** From now on every answer is NOT_SERVING; watchers are told. */
  stop(): void;
};

/** SERVING for the services named and for "" (the whole server), NOT_SERVING from the moment it begins to stop. */
export function createHealth(services: readonly string[]): HealthState {
  const known = new Set(["", ...services]);
  const stopping = new AbortController();
  const statusNow = (): Status => (stopping.signal.aborted ? Status.NOT_SERVING : Status.SERVING);
  return {
    handlers: {
      async check({ service }) {
        if (known.has(service)) return { status: statusNow() };
        throw new ServiceError("NOT_FOUND", "service_unknown", `service ${service} is not served here`);
      },
      async *watch({ service }, { signal }) {
        const isKnown = known.has(service);
        yield { status: isKnown ? statusNow() : Status.SERVICE_UNKNOWN };
        await aborted(AbortSignal.any([signal, stopping.signal]));
        if (isKnown && stopping.signal.aborted) yield { status: Status.NOT_SERVING };
      },
    },
    stop: () => stopping.abort(),
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
