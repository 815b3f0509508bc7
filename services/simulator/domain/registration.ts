// Registration of a number and the guessing of its PIN. Meta publishes the codes and the limit of 10 in 72 hours; how many wrong
// PINs lock for how long is ours.
//
//   state                          register                deregister
//   code not entered               133006                  133006
//   10 tries in 72 hours           133016 for 72 hours     133016
//   no PIN yet                     registered, PIN is set  –
//   right PIN                      registered              not registered
//   wrong PIN                      133005                  –
//   wrong within 5 s of a wrong    133009                  –
//   5 wrong in an hour             133008 for an hour      –
import type { GraphError } from "./graph-error.ts";

export type Registration = {
  /** Undefined: two-step verification is off. */
  pin: string | undefined;
  /** Times of the calls to register and deregister. */
  tries: readonly number[];
  blockedUntil: number;
  /** Times of wrong PINs. */
  wrong: readonly number[];
  lockedUntil: number;
};

export const neverTried: Registration = { pin: undefined, tries: [], blockedUntil: 0, wrong: [], lockedUntil: 0 };

const secondMs = 1_000;
const hourMs = 3_600 * secondMs;
const limitMs = 72 * hourMs;
const mostTries = 10;
const mostWrong = 5;
const guessGapMs = 5 * secondMs;

export type Tried = { registration: Registration; error: GraphError | undefined };

/** `isVerified`: the code that proves ownership was entered. */
export function register(before: Registration, pin: string, isVerified: boolean, at: number): Tried {
  const counted = count(before, isVerified, at);
  if (counted.error !== undefined) return counted;
  const { registration } = counted;
  if (at < registration.lockedUntil) return refuse(registration, 133008, "too many wrong PINs, wait an hour");
  if (registration.pin === undefined || registration.pin === pin)
    return { registration: { ...registration, pin, wrong: [] }, error: undefined };
  const last = registration.wrong.at(-1);
  if (last !== undefined && at - last < guessGapMs) return refuse(registration, 133009, "PIN was guessed too fast");
  const wrong = [...registration.wrong.filter((time) => time > at - hourMs), at];
  const lockedUntil = wrong.length >= mostWrong ? at + hourMs : 0;
  return refuse({ ...registration, wrong, lockedUntil }, 133005, "PIN is not the number's");
}

export function deregister(before: Registration, isVerified: boolean, at: number): Tried {
  return count(before, isVerified, at);
}

function count(before: Registration, isVerified: boolean, at: number): Tried {
  if (!isVerified) return refuse(before, 133006, "the number's code was not entered yet");
  const recent = before.tries.filter((time) => time > at - limitMs);
  if (at >= before.blockedUntil && recent.length < mostTries)
    return { registration: { ...before, tries: [...recent, at] }, error: undefined };
  const blockedUntil = Math.max(before.blockedUntil, at < before.blockedUntil ? 0 : at + limitMs);
  return refuse({ ...before, blockedUntil }, 133016, `more than ${mostTries} registrations in 72 hours`);
}

function refuse(registration: Registration, code: number, details: string): Tried {
  return { registration, error: { code, details } };
}
