// The options of each command, as parseArgs takes them, and the variables that places stand for.

export const text = { type: "string" } as const;
export const flag = { type: "boolean", default: false } as const;

export const placeNames = {
  data: "HELIOGRAPH_DATA",
  gateway: "GATEWAY_URL",
  "token-file": "API_TOKEN_FILE",
  messages: "MESSAGES_ADDRESS",
  quality: "QUALITY_ADDRESS",
  templates: "TEMPLATES_ADDRESS",
  nats: "NATS_URL",
} as const;

export const everywhere = {
  data: text,
  gateway: text,
  "token-file": text,
  messages: text,
  quality: text,
  templates: text,
  nats: text,
  json: flag,
  help: { ...flag, short: "h" },
} as const;

export const filterOptions = {
  number: text,
  to: text,
  state: text,
  template: text,
  campaign: text,
  since: text,
  limit: text,
};
export const sendOptions = {
  number: text,
  to: text,
  text,
  template: text,
  language: text,
  param: { type: "string", multiple: true },
  lane: text,
  campaign: text,
  ttl: text,
  "idempotency-key": text,
  wait: flag,
  timeout: text,
} as const;

export const explainOptions = {
  number: text,
  to: { type: "string", multiple: true },
  "to-file": text,
  text,
  template: text,
  language: text,
  param: { type: "string", multiple: true },
  lane: text,
  ttl: text,
} as const;

export const trialOptions = { number: text, simulator: text, listen: text, timeout: text };
