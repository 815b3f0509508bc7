// What a support person can do about a verdict, in a sentence.

const remedies: ReadonlyMap<string, string> = new Map([
  ["window_closed", "wait until the user writes to this number, or send an approved template instead"],
  [
    "template_missing",
    "use a template that exists in this language and is APPROVED; one in review has to wait for its end",
  ],
  ["template_paused", "wait until WhatsApp ends the pause, or use another template"],
  ["template_disabled", "use another template: a disabled one cannot be sent any more"],
  ["template_parameter_count", "give each of the template's parameters exactly once"],
  ["template_parameter_format", "give the parameters in the form that the template declares"],
  ["template_parameter_value", "correct the parameter that the details name"],
  ["template_text_too_long", "shorten the parameters"],
  [
    "limit_reached",
    "wait until a place of the messaging limit is free; users with an open window can be answered meanwhile",
  ],
  [
    "number_restricted",
    "wait until WhatsApp lifts the restriction; users with an open window can be answered meanwhile",
  ],
  ["type_unsupported", "send a text or a template"],
  ["overloaded", "wait until some of the waiting messages have gone, or raise the number's queue limit"],
  ["expired", "give it a longer time to live"],
  // What an allowed message waits for.
  ["pace", "nothing: it goes when those before it have gone; a higher pace of the number would have it go sooner"],
  ["pair", "nothing: WhatsApp takes 45 messages to a user at once, then one in 6 seconds"],
  [
    "behind_earlier",
    "nothing: it goes after an earlier message to this user that waits; cancelling that one would have it go sooner",
  ],
  ["number_disconnected", "start the number's connection; accepted messages wait for it"],
  ["connection_away", "see why the number's connection does not answer; accepted messages wait for it"],
  ["token_refused", "give the number an access token that WhatsApp takes; accepted messages wait for it"],
  [
    "registered_elsewhere",
    "see which client registered the number, and register it here again; accepted messages wait",
  ],
  ["number_migrated", "see where the number was moved to; accepted messages wait until it is back"],
  ["number_not_registered", "register the number for this app at WhatsApp; accepted messages wait for it"],
]);

const resting = "nothing: accepted messages wait until WhatsApp takes them again";

/** Empty where nothing is needed. `reason` is a refusal's, the peer of an unknown verdict, or what an allowed message waits for. */
export function remedyOf(reason: string, verdict: "allowed" | "refused" | "unknown"): string {
  if (verdict === "unknown") return `ask again when ${reason} answers; an accepted message would wait for it`;
  const remedy = remedies.get(reason);
  if (remedy !== undefined) return remedy;
  return reason === "" || verdict === "refused" ? "" : resting;
}
