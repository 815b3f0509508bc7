// A message's history as a text in its row, a line for each transition, so that it costs no write of its own (some 15 bytes a line):
//   <state> <ms since acceptance> <attempt> <term> <reason>
import type { MessageState, Transition } from "../domain/progress.ts";

/** To be appended to what the row has. */
export function toHistoryText(transitions: readonly Transition[], acceptedAt: Date): string {
  return transitions
    .map(({ state, at, attempt, term, reason }) => {
      const sinceMs = at.getTime() - acceptedAt.getTime();
      return `${state} ${sinceMs} ${attempt} ${term} ${reason.replaceAll("\n", " ")}\n`;
    })
    .join("");
}

/** From acceptance on. */
export function fromHistoryText(text: string, acceptedAt: Date): Transition[] {
  const accepted: Transition = { state: "accepted", at: acceptedAt, attempt: 0, term: 0, reason: "" };
  const later = text.split("\n").flatMap((line) => {
    const [, word = "", sinceMs, attempt, term, reason = ""] = /^(\w+) (-?\d+) (\d+) (\d+) (.*)$/.exec(line) ?? [];
    if (!isState(word)) return [];
    const at = new Date(acceptedAt.getTime() + Number(sinceMs));
    return { state: word, at, attempt: Number(attempt), term: Number(term), reason };
  });
  return [accepted, ...later];
}

const states = {
  accepted: true,
  waiting: true,
  sending: true,
  sent: true,
  delivered: true,
  read: true,
  failed: true,
  expired: true,
  cancelled: true,
  unknown: true,
} satisfies Record<MessageState, true>;

function isState(word: string): word is MessageState {
  return Object.hasOwn(states, word);
}
