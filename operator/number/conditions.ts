// What the conditions of a number say. Every reason of its own stands here; those that all kinds have stand in ../conditions.ts.
import { type Condition, type Said as SaidOf, toSeconds } from "../conditions.ts";
import type { GivenUp, NumberFacts, PodFacts } from "./facts.ts";
import type { PodsPlan } from "./pods.ts";

export type Reason =
  | "Ready"
  | "Registered"
  | "Connected"
  | "Deleting"
  | "NotPaused"
  | "NumberInUse"
  | "AccountMissing"
  | "ClassMissing"
  | "SecretMissing"
  | "NumberRefused"
  | "MessagesAway"
  | "Registering"
  | "NotRegistered"
  | "PinMissing"
  | "PinWrong"
  | "NumberUnverified"
  | "RegistrationLimit"
  | "RegistrationFailed"
  | "DeregistrationFailed"
  | "Disconnected"
  | "Fenced"
  | "Conflict"
  | "NoConflict"
  | "TokenRefused"
  | "WhatsAppAway"
  | "Resting"
  | "LeaseLapsed"
  | "Starting"
  | "PodRefused"
  | "PodWaiting"
  | "StandbyGivenUp"
  | "Moving"
  | "Waiting"
  | "Stopping"
  | "Settled"
  | "Banned"
  | "Restricted"
  | "Flagged"
  | "QualityAway"
  | "AsExpected"
  | "NotKnown";

/** What a condition says, before it is compared with what it said. */
export type Said = SaidOf<Reason>;

export function said(status: Said["status"], reason: Reason, message = ""): Said {
  return { status, reason, message };
}

/** What has to be there before a number can have a pod, in the order in which a person would mend it. */
export function findMissing(facts: NumberFacts): Said | undefined {
  const { number, account, connectionClass, token, twin } = facts;
  if (twin !== undefined) {
    const message = `WhatsAppNumber ${twin} is older and has the same phone number or phoneNumberId; delete one of the two`;
    return said("False", "NumberInUse", message);
  }
  if (account === undefined) {
    const message = `there is no WhatsAppBusinessAccount ${number.spec.accountRef.name} in the namespace; apply it`;
    return said("False", "AccountMissing", message);
  }
  if (connectionClass.kind === "missing") {
    const message = `there is no ConnectionClass ${connectionClass.name}; apply it, or leave connectionClassName out`;
    return said("False", "ClassMissing", message);
  }
  if (token?.kind === "missing") return said("False", "SecretMissing", `${token.why}; it must hold the access token`);
  return undefined;
}

/** Why no process is to hold the number. */
export function findUnwanted({ number }: NumberFacts, isFenced: boolean): Said | undefined {
  if (number.metadata.deletionTimestamp !== undefined)
    return said("False", "Deleting", "the resource is being deleted");
  if (isFenced)
    return said("False", "Fenced", "the annotation heliograph.dev/fence keeps every process off the number");
  if (number.spec.desiredState === "Disconnected")
    return said("False", "Disconnected", "spec.desiredState is Disconnected; messages are accepted and wait");
  return undefined;
}

/** What a number that no process is to hold still waits for; undefined: for nothing. */
export function findHolder(facts: NumberFacts): string | undefined {
  const { register, pods } = facts;
  const lease = register.kind === "known" ? register.value?.connection : undefined;
  const isRenewed = lease?.isHeld === true && lease.lapsedForMs === undefined;
  const living = pods.filter(({ isEnded }) => !isEnded);
  const lost = living.find(({ isNodeLost }) => isNodeLost);
  if (lost !== undefined) return whatEnds(lost, isRenewed && lease.holder === lost.uid);
  if (living.length > 0) return "the connection pod is ending";
  return isRenewed
    ? "a process of which Kubernetes knows no pod renews the lease; it is asked to end, or ends by itself"
    : undefined;
}

function whatEnds({ name, nodeName = "" }: PodFacts, isRenewed: boolean): string {
  return (
    `pod ${name} cannot be ended: its node ${nodeName} does not answer${isRenewed ? ", and its process still renews the lease" : ""}; ` +
    `it ends when the node is back; if that machine is off for good, delete the Node, or taint it ` +
    `node.kubernetes.io/out-of-service=nodeshutdown:NoExecute`
  );
}

/** The latest standby that was given up, while what it was made for is still due. */
function findGivenUp({ pods, specHash }: NumberFacts): { serving: PodFacts; gaveUp: GivenUp } | undefined {
  for (const serving of pods) {
    const { gaveUp, isNodeDraining } = serving;
    const isDue = serving.specHash !== specHash || isNodeDraining;
    if (gaveUp !== undefined && gaveUp.specHash === specHash && isDue) return { serving, gaveUp };
  }
  return undefined;
}

const registrationReasons: Record<string, Reason> = {
  pin_wrong: "PinWrong",
  pin_invalid: "PinWrong",
  number_unverified: "NumberUnverified",
  registration_limit: "RegistrationLimit",
};

export const telling = "the services are being told of the number";

/** `before` is what it said: a number that is between two pods is as registered as it was. */
export function sayRegistered(facts: NumberFacts, before: Condition | undefined): Said {
  const { register, refusals, twin } = facts;
  const missing = findMissing(facts);
  if (twin !== undefined && missing !== undefined) return missing;
  if (register.kind === "away")
    return said("Unknown", "MessagesAway", `${register.service} does not answer: ${register.why}`);
  const { value } = register;
  const connection = value?.connection;
  if (connection?.isHeld === true && connection.lapsedForMs === undefined) {
    return connection.standing === "not_registered" ? sayNotRegistered(facts) : said("True", "Registered");
  }
  if (before?.status === "True") return said("True", "Registered");
  if (refusals.apply !== undefined) return said("False", "NumberRefused", refusals.apply.message);
  if (missing !== undefined && value === undefined) return missing;
  if (value?.isAsDeclared !== true) return said("Unknown", "Registering", telling);
  return said("Unknown", "NotKnown", "WhatsApp tells it once a process holds the number");
}

function sayNotRegistered({ number, pin, refusals }: NumberFacts): Said {
  const next = "WhatsApp does not take the number's messages from this app";
  if (number.spec.registration === undefined)
    return said("False", "NotRegistered", `${next}; set spec.registration.pinRef, or register it yourself`);
  if (pin?.kind === "missing") return said("False", "PinMissing", `${next}; ${pin.why}, which must hold its PIN`);
  const { registration } = refusals;
  if (registration === undefined) return said("False", "Registering", "the number is being registered with its PIN");
  return said("False", registrationReasons[registration.reason] ?? "RegistrationFailed", registration.message);
}

const standings: Record<string, { status: Said["status"]; reason: Reason; message: string }> = {
  not_registered: {
    status: "False",
    reason: "NotRegistered",
    message: "a process holds the number, WhatsApp does not take its messages; see Registered",
  },
  conflict: {
    status: "False",
    reason: "Conflict",
    message: "the number was moved to another app or server; end the other one, or fence this one",
  },
  token_refused: {
    status: "False",
    reason: "TokenRefused",
    message: "WhatsApp refuses the access token; put a valid one into the Secret",
  },
  upstream_away: { status: "Unknown", reason: "WhatsAppAway", message: "WhatsApp does not answer" },
};

export function sayConnected(facts: NumberFacts, isFenced: boolean, pods: PodsPlan | undefined): Said {
  const { register, refusals, pods: existing } = facts;
  if (register.kind === "away")
    return said("Unknown", "MessagesAway", `${register.service} does not answer: ${register.why}`);
  const connection = register.value?.connection;
  if (connection?.isHeld === true && connection.lapsedForMs === undefined) {
    const { standing } = connection;
    return standing === "" ? said("True", "Connected") : (standings[standing] ?? said("False", "Resting", standing));
  }
  const unwanted = findUnwanted(facts, isFenced);
  if (unwanted !== undefined) return unwanted;
  const missing = findMissing(facts);
  if (missing !== undefined) return missing;
  if (refusals.pod !== undefined) return said("False", "PodRefused", refusals.pod.message);
  if (connection?.lapsedForMs !== undefined)
    return said("False", "LeaseLapsed", "the process that held the number does not renew its lease");
  const waitingReason = existing.at(-1)?.waitingReason;
  if (waitingReason !== undefined) return said("False", "PodWaiting", `the connection pod waits: ${waitingReason}`);
  const message = existing.length === 0 ? "the connection pod is being made" : "the connection pod is starting";
  return said("False", "Starting", pods?.waitsFor ?? message);
}

export function sayProgressing(
  facts: NumberFacts,
  { connected, unwanted }: { connected: Said; unwanted: Said | undefined },
  pods: PodsPlan | undefined,
): Said {
  const holder = unwanted && findHolder(facts);
  if (facts.number.metadata.deletionTimestamp !== undefined)
    return said("True", "Stopping", holder ?? "the number is being taken down");
  if (holder !== undefined) return said("True", "Stopping", holder);
  if (pods?.waitsFor !== undefined) return said("True", "Waiting", pods.waitsFor);
  const living = facts.pods.filter(({ isEnded }) => !isEnded);
  if (living.length > 1) return said("True", "Moving", "the number goes from one pod to the next");
  if (living.some(({ isDeleting }) => isDeleting)) return said("True", "Stopping", "the connection pod is ending");
  if (connected.reason === "Starting" || connected.reason === "LeaseLapsed")
    return said("True", "Starting", connected.message);
  return said("False", "Settled");
}

export function sayDegraded(facts: NumberFacts, connected: Said): Said {
  const { quality, refusals } = facts;
  const missing = findMissing(facts);
  const givenUp = findGivenUp(facts);
  if (connected.status === "True" && missing !== undefined) return said("True", missing.reason, missing.message);
  if (connected.status === "True" && refusals.pod !== undefined)
    return said("True", "PodRefused", refusals.pod.message);
  if (givenUp !== undefined) return said("True", "StandbyGivenUp", sayGivenUp(facts, givenUp));
  if (quality.kind === "away")
    return said("Unknown", "QualityAway", `${quality.service} does not answer: ${quality.why}`);
  switch (quality.value?.status) {
    case "BANNED":
      return said("True", "Banned", "WhatsApp has banned the number: it can neither send nor receive");
    case "RESTRICTED":
      return said("True", "Restricted", "WhatsApp has restricted the number: it may answer, and not write first");
    case "FLAGGED":
      return said("True", "Flagged", "WhatsApp has flagged the number for bad quality; send less, and better");
    default:
      return said("False", "AsExpected");
  }
}

function sayGivenUp({ number }: NumberFacts, { serving, gaveUp }: { serving: PodFacts; gaveUp: GivenUp }): string {
  const { epoch, why, retryAt } = gaveUp;
  return (
    `pod ${number.metadata.name}-c${epoch} did not take the number over in time (${why}) and was given up, ${serving.name} goes on; ` +
    `the next is tried from ${toSeconds(retryAt)} on, or when the settings change`
  );
}

export function sayConflict({ register }: NumberFacts, connected: Said, before: Condition | undefined): Said {
  if (connected.reason === "Conflict") return said("True", "Conflict", connected.message);
  if (register.kind === "away" && before?.status === "True")
    return said("Unknown", "MessagesAway", "messages does not answer");
  return said("False", "NoConflict");
}
