// Every error that a client sees is made here: from a reason of ours, from a service's fault, or from what fastify found.
import { type CloudReason, type CloudErrorBody, errorBody, httpStatus, isCloudReason } from "#dialects/cloud-errors.ts";
import { type Code, ServiceError } from "#lib/errors.ts";

type Extra = { cause?: unknown; retryAfterMs?: number };

/** A refusal of the gateway's own, to be thrown by a route. `details` reach the client. */
export function cloudFault(reason: CloudReason, details: string, extra: Extra = {}): ServiceError {
  return new ServiceError(codeOf(httpStatus(reason)), reason, details, extra);
}

function codeOf(http: number): Code {
  if (http === 401) return "UNAUTHENTICATED";
  if (http === 403) return "PERMISSION_DENIED";
  if (http === 404) return "NOT_FOUND";
  return http >= 500 ? "UNAVAILABLE" : "INVALID_ARGUMENT";
}

export type CloudAnswer = {
  status: number;
  body: CloudErrorBody;
  retryAfterSeconds?: number;
};

/** What the client is told of an error. `bodyLimitBytes` is that of the route. */
export function toCloudAnswer(error: unknown, fbtraceId: string, bodyLimitBytes: number): CloudAnswer {
  const { reason, details = reason === "body_too_large" ? limitInWords(bodyLimitBytes) : undefined } = describe(error);
  const status = httpStatus(reason);
  const body = errorBody(reason, { fbtraceId, ...(details !== undefined && { details }) });
  const isPassing = status >= 500 && reason !== "internal";
  if (!isPassing) return { status, body };
  const retryAfterMs = error instanceof ServiceError ? (error.retryAfterMs ?? defaultRetryMs) : defaultRetryMs;
  return { status, body, retryAfterSeconds: Math.max(1, Math.ceil(retryAfterMs / 1_000)) };
}

const defaultRetryMs = 1_000;

function limitInWords(bytes: number): string {
  return `body must have at most ${bytes} bytes (${bytes / 1_024} KiB)`;
}

type Description = { reason: CloudReason; details?: string };

function describe(error: unknown): Description {
  if (error instanceof ServiceError) return describeFault(error);
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  return ofFastify.get(code) ?? { reason: isClientsFault(error) ? "parameter_invalid" : "internal" };
}

/** A service's own word goes first, then what its gRPC code tells. */
function describeFault({ code, reason, message }: ServiceError): Description {
  if (isCloudReason(reason) && reason !== "internal") return { reason, details: message };
  // The id is the gateway's: its clock or that of messages is wrong, and the client's request is not.
  if (reason === "message_id_out_of_time") {
    return { reason: "service_unavailable", details: "clocks of two parts of the system differ by more than a day" };
  }
  switch (code) {
    case "UNAVAILABLE":
    case "DEADLINE_EXCEEDED":
    case "CANCELLED":
    case "ABORTED":
      return { reason: "service_unavailable", details: "a part of the system cannot be reached at the moment" };
    case "RESOURCE_EXHAUSTED":
      return { reason: "overloaded", details: message };
    case "UNIMPLEMENTED":
      return { reason: "not_built_yet", details: message };
    case "INVALID_ARGUMENT":
    case "OUT_OF_RANGE":
    case "FAILED_PRECONDITION":
    case "ALREADY_EXISTS":
      return { reason: "parameter_invalid", details: message };
    case "NOT_FOUND":
      return { reason: "route_unknown", details: message };
    case "UNAUTHENTICATED":
      return { reason: "token_invalid" };
    case "PERMISSION_DENIED":
      return { reason: "permission_missing", details: message };
    case "UNKNOWN":
    case "INTERNAL":
    case "DATA_LOSS":
      return { reason: "internal" };
  }
}

const ofFastify: ReadonlyMap<string, Description> = new Map([
  ["FST_ERR_CTP_BODY_TOO_LARGE", { reason: "body_too_large" }],
  ["FST_ERR_CTP_INVALID_MEDIA_TYPE", { reason: "content_type_unsupported" }],
  ["FST_ERR_CTP_INVALID_CONTENT_LENGTH", { reason: "parameter_invalid", details: "body is not as long as it says" }],
  ["FST_ERR_BAD_URL", { reason: "route_unknown", details: "path is not a valid URL" }],
  ["FST_ERR_NOT_FOUND", { reason: "route_unknown" }],
]);

function isClientsFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const aborted = "code" in error && error.code === "ECONNRESET";
  return aborted || ("statusCode" in error && typeof error.statusCode === "number" && error.statusCode < 500);
}
