// A recipient as a client writes it. Digits are taken as an international number, whatever Meta says of a missing plus.
import { isPossiblePhoneNumber } from "libphonenumber-js/min";

// WhatsApp's ids of Mexican mobiles keep the 1 that the numbering plan dropped in 2019; libphonenumber finds them too long.
const oldMexicanMobile = /^521(?=\d{10}$)/;

const decoration = /[+\-() ]/g;

/**
 * The digits with country code, or undefined if that cannot be a phone number. Asks for a known country code and a possible
 * length only: numbering plans change faster than our copy of them.
 */
export function parseRecipient(input: string): string | undefined {
  const digits = input.replace(decoration, "");
  if (!/^[1-9]\d{5,16}$/.test(digits)) return undefined;
  return isPossiblePhoneNumber(`+${digits.replace(oldMexicanMobile, "52")}`) ? digits : undefined;
}
