// Graph's errors: what each code means, as an HTTP error body and as the error of a failed status.

type Kind = { http: number; title: string };

const oauth = "OAuthException";
const invalidParameter = "Invalid parameter";
const unavailable = "Service unavailable";

const kinds: Readonly<Record<number, Kind>> = {
  1: { http: 400, title: "API Unknown" },
  2: { http: 503, title: "API Service" },
  3: { http: 500, title: "API Method" },
  4: { http: 400, title: "API Too Many Calls" },
  10: { http: 403, title: "Permission Denied" },
  17: { http: 400, title: "API User Too Many Calls" },
  33: { http: 400, title: "Parameter value is not valid" },
  100: { http: 400, title: invalidParameter },
  104: { http: 401, title: "An access token is required to request this resource." },
  190: { http: 401, title: "Error validating access token" },
  200: { http: 403, title: "API Permission" },
  368: { http: 403, title: "Temporarily blocked for policies violations" },
  2200: { http: 400, title: "Callback verification failed" },
  80007: { http: 400, title: "Rate limit issues" },
  130403: { http: 400, title: "Recipient is blocked by this business" },
  130429: { http: 400, title: "Rate limit hit" },
  130472: { http: 400, title: "User's number is part of an experiment" },
  130497: { http: 403, title: "Business account is restricted from messaging users in this country" },
  131000: { http: 500, title: "Something went wrong" },
  131005: { http: 403, title: "Access denied" },
  131008: { http: 400, title: "Required parameter is missing" },
  131009: { http: 400, title: "Parameter value is not valid" },
  131016: { http: 500, title: unavailable },
  131021: { http: 400, title: "Recipient cannot be sender" },
  131026: { http: 400, title: "Message undeliverable" },
  131030: { http: 400, title: "Recipient phone number not in allowed list" },
  131031: { http: 403, title: "Account has been locked" },
  131042: { http: 400, title: "Business eligibility payment issue" },
  131047: { http: 400, title: "Re-engagement message" },
  131048: { http: 400, title: "Spam rate limit hit" },
  131049: { http: 400, title: "This message was not delivered to maintain healthy ecosystem engagement" },
  131050: { http: 400, title: "User has stopped marketing messages from this business" },
  131051: { http: 400, title: "Unsupported message type" },
  131053: { http: 400, title: "Media upload error" },
  131056: { http: 400, title: "Pair rate limit hit" },
  131057: { http: 500, title: "Account in maintenance mode" },
  131059: { http: 400, title: "Paging cursor is expired or corrupt" },
  132000: { http: 400, title: "Number of parameters does not match the expected number of params" },
  132001: { http: 404, title: "Template name does not exist in the translation" },
  132005: { http: 400, title: "Translated text too long" },
  132007: { http: 400, title: "Template format character policy violated" },
  132012: { http: 400, title: "Parameter format does not match format in the created template" },
  132015: { http: 400, title: "Template is paused" },
  132016: { http: 400, title: "Template is disabled" },
  132018: { http: 400, title: "Template parameters are not valid" },
  133004: { http: 503, title: "Server temporarily unavailable" },
  133005: { http: 400, title: "Two step verification PIN mismatch" },
  133006: { http: 400, title: "Phone number re-verification needed" },
  133008: { http: 400, title: "Too many two step verification PIN guesses" },
  133009: { http: 400, title: "Two step verification PIN guessed too fast" },
  133010: { http: 400, title: "The account does not exist in the Cloud API" },
  133016: { http: 400, title: "Account register deregister rate limit exceeded" },
  134101: { http: 400, title: "Template is still syncing" },
};

/** A refusal: Meta's code and what exactly was wrong. */
export type GraphError = {
  code: number;
  details?: string | undefined;
  subcode?: number;
  /** Instead of the code's usual message. */
  message?: string;
  /** Management calls tell people what is wrong in these. */
  userTitle?: string;
  userMessage?: string;
};

/** The node does not exist, or the method does not fit it: Graph answers both alike. */
export function unsupportedRequest(method: string, nodeId: string): GraphError {
  const message =
    `Unsupported ${method.toLowerCase()} request. Object with ID '${nodeId}' does not exist, cannot be loaded due to ` +
    "missing permissions, or does not support this operation. Please read the Graph API documentation at " +
    "https://developers.facebook.com/docs/graph-api";
  return { code: 100, subcode: 33, message };
}

/** The HTTP status of a code; 400 for one that we do not know. */
export function httpStatusOf(code: number): number {
  return kinds[code]?.http ?? 400;
}

function titleOf(code: number): string {
  return kinds[code]?.title ?? "Unknown error";
}

/** The body of an HTTP error. */
export function graphErrorBody(
  { code, details, subcode, message, userTitle, userMessage }: GraphError,
  fbtraceId: string,
): object {
  return {
    error: {
      message: message ?? (code === 104 || code === 190 ? titleOf(code) : `(#${code}) ${titleOf(code)}`),
      type: subcode === 33 ? "GraphMethodException" : oauth,
      code,
      ...(details !== undefined && { error_data: { messaging_product: "whatsapp", details } }),
      ...(subcode !== undefined && { error_subcode: subcode }),
      ...(userTitle !== undefined && { error_user_title: userTitle }),
      ...(userMessage !== undefined && { error_user_msg: userMessage, is_transient: false }),
      ...(httpStatusOf(code) >= 500 && { is_transient: true }),
      fbtrace_id: fbtraceId,
    },
  };
}

const statusDetails: Readonly<Record<number, string>> = {
  131026: "Message undeliverable: the recipient is not a WhatsApp user or cannot receive this message",
  131047:
    "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
  131048: "Message failed to send because this number may not start conversations at the moment",
};

/** The `errors` entry of a failed status. */
export function statusError(code: number): object {
  const title = titleOf(code);
  return {
    code,
    title,
    message: title,
    error_data: { details: statusDetails[code] ?? title },
    href: "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
  };
}
