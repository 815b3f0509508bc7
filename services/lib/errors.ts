// The one error class of the project: a fault with a closed code for machines, a reason for callers and a message for people.
// Its cause stays in our logs; a peer sees code, reason and message only.

const codes = [
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

/** The gRPC code names, which are also our own. */
export type Code = (typeof codes)[number];

const statusByCode = new Map<Code, number>(codes.map((code, index) => [code, index + 1]));

/** The number gRPC puts on the wire for a code (OK, 0, is not an error and has no code). */
export function statusOfCode(code: Code): number {
  return statusByCode.get(code) ?? 2;
}

/** The code for a number from the wire; a number we do not know is UNKNOWN. */
export function codeOfStatus(status: number): Code {
  return codes[status - 1] ?? "UNKNOWN";
}

type Details = {
  cause?: unknown;
  /** When it is worth asking again, in milliseconds from now. */
  retryAfterMs?: number | undefined;
};

/** A fault made at an edge or in an adapter. Refusals are values of the domain, bugs are plain errors. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: Code;
  /** Closed vocabulary of the service that throws it, in snake_case: what a caller may branch on. */
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: Code, reason: string, message: string, details: Details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.reason = reason;
    this.retryAfterMs = details.retryAfterMs;
  }

  /** Passes a ServiceError through; an abort becomes CANCELLED; anything else is a bug of ours, INTERNAL with the cause kept. */
  static from(error: unknown): ServiceError {
    if (error instanceof ServiceError) return error;
    if (error instanceof Error && error.name === "AbortError") {
      return new ServiceError("CANCELLED", "cancelled", "cancelled", { cause: error });
    }
    return new ServiceError("INTERNAL", "internal", "internal error", { cause: error });
  }
}

/** @public Ends a switch over a closed union: does not compile while a case is missing, throws if a value lied about its type. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value ${JSON.stringify(value)}`);
}
