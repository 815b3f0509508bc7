// Requests about many messages → checked values.
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { isMessageId } from "#dialects/message-id.ts";
import type {
  CancelMessagesRequest,
  ListMessagesRequest,
  RepublishRequest,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { Filter } from "./domain/listing.ts";
import { isMetaId } from "./domain/number.ts";
import { invalid, parseMessageId, parsePhoneNumberId, parseText } from "./wire.ts";
import { stateOf } from "./wire-out.ts";

const defaultPageSize = 50;
const largestPageSize = 500;

export type ParsedList = { filter: Filter; pageSize: number; pageToken: string | undefined };

export function parseList(request: ListMessagesRequest): ParsedList {
  const { phoneNumberId, recipient, pageSize, pageToken } = request;
  if (phoneNumberId !== "" && !isMetaId(phoneNumberId)) throw invalid("phone_number_id must be digits");
  if (recipient !== "" && !/^\d{5,20}$/.test(recipient)) {
    throw invalid("recipient must be digits with country code, no plus");
  }
  if (pageSize > largestPageSize) throw invalid(`page_size must be at most ${largestPageSize}`);
  if (pageToken !== "" && !isMessageId(pageToken)) throw invalid("page_token is not one that was given out");
  const state = stateOf(request.state);
  if (state === undefined) throw invalid(`state ${request.state} is unknown`);
  return {
    filter: {
      phoneNumberId,
      recipient,
      state,
      templateName: parseText("template_name", request.templateName, 512),
      campaign: parseText("campaign", request.campaign, 128),
      from: parseBound("from", request.from),
      to: parseBound("to", request.to),
    },
    pageSize: pageSize || defaultPageSize,
    pageToken: pageToken === "" ? undefined : pageToken,
  };
}

/** Message ids tell times from 1970 on. */
export function parseBound(name: string, time: Timestamp | undefined): Date | undefined {
  if (time === undefined) return undefined;
  const date = timestampDate(time);
  if (Number.isNaN(date.getTime()) || date.getTime() < 0) throw invalid(`${name} must be a time since 1970`);
  return date;
}

/** Without `to`: up to now. */
export function parseSpan(request: RepublishRequest, now: Date): { from: Date; to: Date } {
  const from = parseBound("from", request.from);
  if (from === undefined) throw invalid("from is missing");
  return { from, to: parseBound("to", request.to) ?? now };
}

export type ParsedCancel =
  | { kind: "message"; messageId: string; phoneNumberId: string | undefined }
  | { kind: "campaign"; phoneNumberId: string; campaign: string };

export function parseCancel(request: CancelMessagesRequest): ParsedCancel {
  const { messageId, campaign, phoneNumberId } = request;
  if ((messageId === "") === (campaign === "")) throw invalid("either message_id or campaign must be given");
  if (campaign !== "") {
    return {
      kind: "campaign",
      phoneNumberId: parsePhoneNumberId(phoneNumberId),
      campaign: parseText("campaign", campaign, 128),
    };
  }
  return {
    kind: "message",
    messageId: parseMessageId(messageId),
    phoneNumberId: phoneNumberId === "" ? undefined : parsePhoneNumberId(phoneNumberId),
  };
}
