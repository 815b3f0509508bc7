// Which number is meant.
import { ServiceError } from "#lib/errors.ts";
import { createClient } from "#lib/grpc.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { Context } from "./context.ts";

/** The phone_number_id: digits are one already, and nothing is asked; a resource's name is looked up. */
export async function findNumberId(
  number: string,
  { places, tls, signal }: Pick<Context, "places" | "tls" | "signal">,
): Promise<string> {
  if (/^\d+$/.test(number)) return number;
  await using messages = createClient(MessagesService, places.messages(), { tls: tls.grpc });
  const { numbers } = await messages.listNumbers({}, { signal });
  const found = numbers.find(({ name }) => name === number);
  if (found !== undefined) return found.phoneNumberId;
  const names = numbers.map(({ name }) => name).join(", ");
  throw new ServiceError("NOT_FOUND", "number_unknown", `no number is named ${number}; there are: ${names || "none"}`);
}
