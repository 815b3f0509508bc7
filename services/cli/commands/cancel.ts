// Cancels what is not yet on its way.
import { createClient } from "#lib/grpc.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { Context } from "../context.ts";
import { exitCodes } from "../errors.ts";
import { findNumberId } from "../numbers.ts";
import { json } from "../render.ts";
import { stateWord } from "../wire.ts";

// A campaign may be a hundred thousand rows.
const deadlineMs = 60_000;

/** A failure if the message could not be cancelled any more. */
export async function cancelOne(messageId: string, context: Context): Promise<number> {
  const { places, tls, json: asJson, out, signal } = context;
  await using service = createClient(MessagesService, places.messages(), { deadlineMs, tls: tls.grpc });
  const { cancelled } = await service.cancelMessages({ messageId }, { signal });
  const { message } = await service.getMessage({ messageId }, { signal });
  const state = message === undefined ? "" : stateWord(message.state);
  const isCancelled = cancelled > 0n || state === "cancelled";
  if (asJson) out(json({ messageId, cancelled: Number(cancelled), state }));
  else out(isCancelled ? `cancelled ${messageId}` : `not cancelled: ${messageId} is ${state} already`);
  return isCancelled ? exitCodes.ok : exitCodes.failed;
}

export async function cancelCampaign(campaign: string, number: string, context: Context): Promise<number> {
  const phoneNumberId = await findNumberId(number, context);
  await using service = createClient(MessagesService, context.places.messages(), { deadlineMs, tls: context.tls.grpc });
  const { cancelled } = await service.cancelMessages({ phoneNumberId, campaign }, { signal: context.signal });
  const count = Number(cancelled);
  const line = `cancelled ${count} ${count === 1 ? "message" : "messages"} of campaign ${campaign}`;
  context.out(context.json ? json({ phoneNumberId, campaign, cancelled: count }) : line);
  return exitCodes.ok;
}
