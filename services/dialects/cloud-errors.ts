// Meta's errors as the Cloud dialect shows them: one table from our reasons to code, HTTP status, type and title.
// Clients branch on code and details; titles are in our words.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MessageErrorSchema } from "#proto/heliograph/messages/v1/content_pb.ts";

type CloudError = {
  http: number;
  code: number;
  subcode?: number;
  type: "OAuthException" | "GraphMethodException";
  title: string;
};

function messaging(code: number, http: number, title: string): CloudError {
  return { http, code, type: "OAuthException", title };
}

const invalidParameter = "Invalid parameter";
const noSuchObject: Omit<CloudError, "title"> = { http: 400, code: 100, subcode: 33, type: "GraphMethodException" };

const unavailable = "Service temporarily unavailable";

/** Every reason that we show, grouped by what it is about. */
const table = {
  // Who asks, and how.
  token_invalid: messaging(190, 401, "Invalid OAuth access token"),
  permission_missing: messaging(10, 403, "Permission for this action is missing"),
  signature_invalid: messaging(190, 401, "Signature does not match the body"),
  verify_token_invalid: messaging(10, 403, "Verify token does not match"),
  bad_json: messaging(100, 400, "Body is not valid JSON"),
  content_type_unsupported: messaging(100, 400, "Content type is not supported"),
  body_too_large: messaging(100, 413, "Body is too large"),
  parameter_invalid: messaging(100, 400, invalidParameter),
  idempotency_conflict: messaging(100, 400, "Idempotency key was used with another body"),
  route_unknown: {
    ...noSuchObject,
    title: "Unsupported request: no such object or edge, or the method does not fit it",
  },
  not_built_yet: messaging(3, 400, "Capability is not available yet"),

  // The number.
  number_unknown: { ...noSuchObject, title: "Unsupported request: no such object, or this token may not see it" },
  message_unknown: {
    ...noSuchObject,
    http: 404,
    title: "Unsupported request: no such message, or this token may not see it",
  },
  number_not_registered: messaging(133010, 400, "Phone number is not registered"),
  number_disconnected: messaging(131057, 500, "Phone number is not connected at the moment"),
  account_locked: messaging(131031, 403, "Account is locked"),
  account_blocked: messaging(368, 403, "Account is temporarily blocked for policy violations"),
  display_name_not_approved: messaging(131037, 400, "Display name is not approved"),
  payment_required: messaging(131042, 400, "Business eligibility or payment problem"),

  // The recipient.
  recipient_invalid: messaging(131009, 400, "Parameter value is not valid"),
  recipient_is_sender: messaging(131021, 400, "Recipient cannot be the sender"),
  recipient_not_on_test_list: messaging(131030, 400, "Recipient is not in the list of allowed test numbers"),
  recipient_undeliverable: messaging(131026, 400, "Message cannot be delivered"),
  recipient_blocked: messaging(130403, 400, "Recipient is blocked by this business"),
  user_id_unsupported: messaging(131062, 400, "Business-scoped user id is not supported for this message"),
  opted_out: messaging(131050, 400, "User has stopped messages of this kind"),
  opt_in_missing: messaging(131050, 400, "User has not asked for messages of this kind"),
  user_marketing_cap: messaging(131049, 400, "Message withheld to keep the ecosystem healthy"),

  // The content.
  content_missing: messaging(131008, 400, "Required parameter is missing"),
  content_invalid: messaging(131009, 400, "Parameter value is not valid"),
  text_too_long: messaging(100, 400, invalidParameter),
  type_unsupported: messaging(131051, 400, "Unsupported message type"),
  template_missing: messaging(132001, 404, "Template does not exist in this language or is not approved"),
  template_paused: messaging(132015, 400, "Template is paused"),
  template_disabled: messaging(132016, 400, "Template is disabled"),
  template_parameter_count: messaging(132000, 400, "Number of parameters does not match the template"),
  template_parameter_format: messaging(132012, 400, "Parameter format does not match the template"),
  template_parameter_value: messaging(132018, 400, "Template parameter is not valid"),
  template_text_too_long: messaging(132005, 400, "Text is too long with its parameters"),

  // Templates as they are managed.
  template_exists: {
    ...messaging(100, 400, "There is content in this language for this template already"),
    subcode: 2388024,
  },
  template_invalid: messaging(100, 400, invalidParameter),
  template_not_editable: messaging(100, 400, "Template can not be edited in its state"),
  template_edit_limit: messaging(100, 400, "Template was edited as often as it may be for now"),
  template_not_deletable: messaging(100, 400, "Template can not be deleted in its state"),

  // The moment.
  window_closed: messaging(
    131047,
    400,
    "Customer service window is closed: more than 24 hours since the user's last message",
  ),
  number_restricted: messaging(131048, 400, "Number is restricted: spam rate limit reached"),
  limit_reached: messaging(131048, 400, "Messaging limit of the number or portfolio reached"),
  pair_paced: messaging(131056, 400, "Too many messages to this user in a short time"),
  paced: messaging(130429, 400, "Throughput limit of the number reached"),
  too_many_requests: messaging(130429, 400, "Rate limit reached"),
  overloaded: messaging(131016, 500, unavailable),
  database_unavailable: messaging(131016, 503, unavailable),
  service_unavailable: messaging(131016, 503, unavailable),

  // The outcome.
  upstream_refused: messaging(131000, 500, "Something went wrong"),
  upstream_unavailable: messaging(131016, 503, unavailable),
  cancelled: messaging(131000, 500, "Something went wrong"),
  expired: messaging(131000, 500, "Something went wrong"),
  unknown_outcome: messaging(131000, 500, "Something went wrong"),
  internal: messaging(131000, 500, "Something went wrong"),
} satisfies Record<string, CloudError>;

export type CloudReason = keyof typeof table;

const errors: Readonly<Record<CloudReason, CloudError>> = table;

/** Whether the word is in the table; for words that come from another service. */
export function isCloudReason(word: string): word is CloudReason {
  return Object.hasOwn(errors, word);
}

/** The HTTP status that goes with a reason. */
export function httpStatus(reason: CloudReason): number {
  return errors[reason].http;
}

export type CloudErrorBody = {
  error: {
    message: string;
    type: string;
    code: number;
    error_subcode?: number;
    error_data?: { messaging_product: "whatsapp"; details: string };
    is_transient?: true;
    fbtrace_id: string;
  };
};

/** The body of an HTTP error. `details` says what exactly was wrong, for people; never a message's text or a full phone number. */
export function errorBody(
  reason: CloudReason,
  { details, fbtraceId }: { details?: string; fbtraceId: string },
): CloudErrorBody {
  const { code, subcode, type, title, http } = errors[reason];
  return {
    error: {
      message: `(#${code}) ${title}`,
      type,
      code,
      ...(subcode !== undefined && { error_subcode: subcode }),
      ...(details !== undefined && { error_data: { messaging_product: "whatsapp", details } }),
      ...(http >= 500 && { is_transient: true }),
      fbtrace_id: fbtraceId,
    },
  };
}

const href = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/";

/** The error of a failed status. */
export function messageError(reason: CloudReason, details: string): MessageInitShape<typeof MessageErrorSchema> {
  const { code, title } = errors[reason];
  return { code, title, message: title, details, href };
}
