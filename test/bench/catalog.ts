// Every scenario, in the order in which they run.
import { burst } from "./scenarios/burst.ts";
import { idle } from "./scenarios/idle.ts";
import { messageCost } from "./scenarios/message-cost.ts";
import { neighbour } from "./scenarios/neighbour.ts";
import { onlyNumber } from "./scenarios/one-number.ts";
import { operatorGo } from "./scenarios/operator-go.ts";
import { operator } from "./scenarios/operator.ts";
import { queued } from "./scenarios/queued.ts";
import { soak } from "./scenarios/soak.ts";
import { steady } from "./scenarios/steady.ts";
import { takeover } from "./scenarios/takeover.ts";
import { watch } from "./scenarios/watch.ts";
import type { Scenario } from "./scenario.ts";

export const catalog: readonly Scenario[] = [
  idle,
  steady,
  burst,
  onlyNumber,
  messageCost,
  neighbour,
  takeover,
  soak,
  queued,
  operator,
  operatorGo,
  watch,
];
