// Reads what the Graph API answers. Unknown fields are tolerated; what cannot be read is absent, never guessed.
import { z } from "zod";
import type { GraphError, Wire } from "./domain/outcome.ts";
import type { Answer } from "./upstream.ts";

const taken = z.object({ messages: z.tuple([z.object({ id: z.string().min(1) })], z.unknown()) });

const refused = z.object({
  error: z.object({
    code: z.int().min(0).max(4_294_967_295),
    error_subcode: z.int().optional().catch(undefined),
    message: z.string().catch(""),
    // Seen as an object and as a plain string.
    error_data: z
      .union([z.object({ details: z.string() }).transform(({ details }) => details), z.string()])
      .optional()
      .catch(undefined),
    error_user_msg: z.string().optional().catch(undefined),
  }),
});

// By the id of a business or account, one entry for each kind of call.
const usages = z.record(z.string(), z.array(z.object({ estimated_time_to_regain_access: z.number().catch(0) })));

/** The JSON of an answer; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The Graph API's error object; undefined for anything else. */
export function parseError(json: unknown): GraphError | undefined {
  const result = refused.safeParse(json);
  if (!result.success) return undefined;
  const { code, error_subcode, message, error_data, error_user_msg } = result.data.error;
  const title = message.replace(/^\(#\d+\)\s*/, "");
  return { code, subcode: error_subcode, title, message, details: error_data ?? error_user_msg ?? "" };
}

/** In how many ms calls are allowed again, by WhatsApp's estimate (in minutes); undefined where it has none. */
export function parseRegainMs(usage: string | undefined): number | undefined {
  if (usage === undefined) return undefined;
  const result = usages.safeParse(parseJson(usage));
  if (!result.success) return undefined;
  const minutes = Object.values(result.data).flatMap((entries) =>
    entries.map(({ estimated_time_to_regain_access }) => estimated_time_to_regain_access),
  );
  const longest = Math.max(0, ...minutes);
  return longest > 0 ? longest * 60_000 : undefined;
}

/** What the answer to a send says of the message. */
export function parseSendAnswer(answer: Answer): Wire {
  if (answer.kind !== "reply") return answer;
  const json = parseJson(answer.text);
  const result = answer.status < 300 ? taken.safeParse(json) : undefined;
  if (result?.success === true)
    return { kind: "reply", status: answer.status, wamid: result.data.messages[0].id, error: undefined };
  return toFailedReply(answer, json);
}

/** An answer that is not the one that was asked for. */
export function toFailedReply({ status, usage }: Extract<Answer, { kind: "reply" }>, json: unknown): Wire {
  return { kind: "reply", status, wamid: undefined, error: parseError(json), regainMs: parseRegainMs(usage) };
}
