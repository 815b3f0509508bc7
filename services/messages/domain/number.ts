// A declared phone number: what its declaration may say, and what holds where it says nothing.

export type NumberSpec = {
  messagesPerSecond: number;
  unknownPolicy: "fail" | "resend";
  unknownTimeoutSeconds: number;
  queueLimit: number;
  defaultTtlSeconds: number;
  contentPolicy: "store" | "pass_through";
};

export type PhoneNumber = {
  phoneNumberId: string;
  wabaId: string;
  /** Digits with country code, no plus. */
  displayPhoneNumber: string;
  /** The resource's name. */
  name: string;
  spec: NumberSpec;
};

/** As it is declared: 0 and the empty word take the default. */
export type DeclaredSpec = {
  messagesPerSecond: number;
  unknownPolicy: string;
  unknownTimeoutSeconds: number;
  queueLimit: number;
  defaultTtlSeconds: number;
  contentPolicy: string;
};

export type Declared = Omit<PhoneNumber, "spec"> & { spec: DeclaredSpec | undefined };

const daySeconds = 86_400;
/** Also the longest time that a message may wait. */
export const maxTtlSeconds = 30 * daySeconds;

const defaults: NumberSpec = {
  messagesPerSecond: 20,
  unknownPolicy: "fail",
  unknownTimeoutSeconds: 600,
  queueLimit: 100_000,
  defaultTtlSeconds: maxTtlSeconds,
  contentPolicy: "store",
};

const bounds = {
  messagesPerSecond: 1_000,
  unknownTimeoutSeconds: 7 * daySeconds,
  queueLimit: 10_000_000,
  defaultTtlSeconds: maxTtlSeconds,
} as const;

/** The number with every default filled in, or what is wrong with its declaration. */
export function decideNumber(declared: Declared): { number: PhoneNumber } | { fault: string } {
  const { phoneNumberId, wabaId, displayPhoneNumber, name } = declared;
  if (!isMetaId(phoneNumberId)) return { fault: "phone_number_id must be digits" };
  if (!isMetaId(wabaId)) return { fault: "waba_id must be digits" };
  if (!/^[1-9]\d{4,19}$/.test(displayPhoneNumber)) {
    return { fault: "display_phone_number must be digits with country code, no plus" };
  }
  const spec = declared.spec ?? { ...defaults, unknownPolicy: "", contentPolicy: "" };
  const { unknownPolicy, contentPolicy } = spec;
  if (unknownPolicy !== "" && unknownPolicy !== "fail" && unknownPolicy !== "resend") {
    return { fault: `unknown_policy must be fail or resend, not ${unknownPolicy}` };
  }
  if (contentPolicy !== "" && contentPolicy !== "store" && contentPolicy !== "pass_through") {
    return { fault: `content_policy must be store or pass_through, not ${contentPolicy}` };
  }
  if (spec.messagesPerSecond > bounds.messagesPerSecond)
    return tooLarge("messages_per_second", bounds.messagesPerSecond);
  if (spec.unknownTimeoutSeconds > bounds.unknownTimeoutSeconds) {
    return tooLarge("unknown_timeout_seconds", bounds.unknownTimeoutSeconds);
  }
  if (spec.queueLimit > bounds.queueLimit) return tooLarge("queue_limit", bounds.queueLimit);
  if (spec.defaultTtlSeconds > bounds.defaultTtlSeconds)
    return tooLarge("default_ttl_seconds", bounds.defaultTtlSeconds);
  return {
    number: {
      phoneNumberId,
      wabaId,
      displayPhoneNumber,
      name,
      spec: {
        messagesPerSecond: spec.messagesPerSecond || defaults.messagesPerSecond,
        unknownPolicy: unknownPolicy || defaults.unknownPolicy,
        unknownTimeoutSeconds: spec.unknownTimeoutSeconds || defaults.unknownTimeoutSeconds,
        queueLimit: spec.queueLimit || defaults.queueLimit,
        defaultTtlSeconds: spec.defaultTtlSeconds || defaults.defaultTtlSeconds,
        contentPolicy: contentPolicy || defaults.contentPolicy,
      },
    },
  };
}

/** Meta's ids of numbers and accounts are decimal strings, beyond 2^53. They stand in the subjects of news. */
export function isMetaId(text: string): boolean {
  return /^\d{1,32}$/.test(text);
}

/** Whether the two declarations say the same. */
export function isSameNumber(a: PhoneNumber, b: PhoneNumber): boolean {
  return (
    a.wabaId === b.wabaId &&
    a.displayPhoneNumber === b.displayPhoneNumber &&
    a.name === b.name &&
    a.spec.messagesPerSecond === b.spec.messagesPerSecond &&
    a.spec.unknownPolicy === b.spec.unknownPolicy &&
    a.spec.unknownTimeoutSeconds === b.spec.unknownTimeoutSeconds &&
    a.spec.queueLimit === b.spec.queueLimit &&
    a.spec.defaultTtlSeconds === b.spec.defaultTtlSeconds &&
    a.spec.contentPolicy === b.spec.contentPolicy
  );
}

function tooLarge(name: string, most: number): { fault: string } {
  return { fault: `${name} must be at most ${most}` };
}
