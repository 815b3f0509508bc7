// JSON that passes through us unchanged: numbers that a double would alter (template ids beyond 2^53, 1.10) keep their text.
// TypeScript's library does not know the reviver's source text and rawJSON yet; both are in Node 22 and newer.
declare global {
  interface JSON {
    rawJSON(text: string): object;
    parse(
      text: string,
      reviver: (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown,
    ): unknown;
  }
}

/** Parses; JSON.stringify of the result, or of any part of it, writes every number as it stood. Throws SyntaxError. */
export function parseVerbatim(text: string): unknown {
  return JSON.parse(text, (_key, value, { source }) =>
    typeof value === "number" && source !== undefined && String(value) !== source ? JSON.rawJSON(source) : value,
  );
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The same for bytes. Throws SyntaxError, or TypeError if they are not UTF-8. */
export function parseVerbatimBytes(bytes: Uint8Array): unknown {
  return parseVerbatim(decoder.decode(bytes));
}
