// Cuts a byte stream into lines. Watches are one JSON object a line, of any length, cut into chunks anywhere.

const newline = 10;

/** Yields whole lines without their end. What follows the last newline is handed to `onRest` at the end of the stream, if anything. */
export async function* lines(
  chunks: AsyncIterable<Uint8Array>,
  onRest: (rest: string) => void = () => undefined,
): AsyncGenerator<string> {
  let pending: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      pending.push(chunk.subarray(start, end));
      const line = Buffer.concat(pending).toString("utf8");
      pending = [];
      start = end + 1;
      if (line !== "") yield line;
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
  if (pending.length > 0) onRest(Buffer.concat(pending).toString("utf8"));
}
