// How a ServiceError travels in gRPC: the code as status, reason and retry time as trailing metadata, the message as details.
import { Metadata } from "@grpc/grpc-js";
import { type Code, codeOfStatus, ServiceError, statusOfCode } from "./errors.ts";

export type WireStatus = { code: number; details: string; metadata: Metadata };

const reasonKey = "heliograph-reason";
const retryAfterKey = "heliograph-retry-after-ms";

export function toStatus(error: ServiceError): WireStatus {
  const metadata = new Metadata();
  metadata.set(reasonKey, error.reason);
  if (error.retryAfterMs !== undefined) metadata.set(retryAfterKey, String(Math.ceil(error.retryAfterMs)));
  return { code: statusOfCode(error.code), details: error.message, metadata };
}

/** What a failed call means to the caller. Without a reason from the peer, the reason is the code in lower case. */
export function fromStatus(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "number")
    return ServiceError.from(error);
  const code: Code = codeOfStatus(error.code);
  const metadata = "metadata" in error && error.metadata instanceof Metadata ? error.metadata : undefined;
  const reason = first(metadata, reasonKey) ?? code.toLowerCase();
  const retryAfter = first(metadata, retryAfterKey);
  const details = "details" in error && typeof error.details === "string" ? error.details : error.message;
  return new ServiceError(code, reason, details, {
    cause: error,
    retryAfterMs: retryAfter === undefined ? undefined : Number(retryAfter),
  });
}

export function first(metadata: Metadata | undefined, name: string): string | undefined {
  const value = metadata?.get(name)[0];
  return value === undefined ? undefined : value.toString();
}
