// What a request to the API server can end in, other than its answer.
import { isRecord } from "./objects.ts";

type Details = { retryAfterMs?: number | undefined; cause?: unknown };

/** `status` is the HTTP status; 0 says that no answer came, and nobody knows whether the request was carried out. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /** Kubernetes' word, such as AlreadyExists; ours where there is no answer: Unreachable, Timeout, Aborted. */
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, reason: string, message: string, { retryAfterMs, cause }: Details = {}) {
    super(message, { cause });
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

export function hasStatus(error: unknown, ...statuses: number[]): boolean {
  return error instanceof ApiError && statuses.includes(error.status);
}

/** Of an answer that is a `Status` (or whatever a proxy says instead). */
export function toApiError(status: number, body: unknown, request: string, retryAfterMs?: number): ApiError {
  const fields = isRecord(body) ? body : {};
  const reason = typeof fields["reason"] === "string" ? fields["reason"] : "Unknown";
  const message = typeof fields["message"] === "string" ? fields["message"] : `status ${status}`;
  return new ApiError(status, reason, `${request}: ${message}`, { retryAfterMs });
}
