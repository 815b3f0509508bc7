// Ids of messages: version 7 UUIDs whose order is the order of drawing, also within a millisecond.
import { v7 } from "uuid";

/** Returns a function that draws an id for a message that arrives at `now`. */
export function createMessageIds(): (now: Date) => string {
  let drawn = 0;
  return (now) => {
    drawn = (drawn + 1) % 0x1_0000_0000;
    return v7({ msecs: now.getTime(), seq: drawn });
  };
}
