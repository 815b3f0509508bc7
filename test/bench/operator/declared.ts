// A fleet as a company would declare it: numbers, the accounts that own them, the accounts' Secrets, and nodes to run on.
import { apiVersionOf, type Resource, type Wish } from "#operator/runtime/objects.ts";
import { businessAccounts, connectionClasses, nodes, secrets, whatsAppNumbers } from "#operator/kinds.ts";

export type Declared = { secrets: Wish[]; accounts: Wish[]; numbers: Wish[]; nodes: Wish[] };

type Size = {
  /** Numbers. */
  size: number;
  /** Numbers of one account. */
  perAccount: number;
  namespace: string;
};

// As many as kubelets take, less than a tenth kept for pods that move.
const podsPerNode = 100;

export function declareFleet({ size, perAccount, namespace }: Size): Declared {
  const accountNames = names("account", Math.ceil(size / perAccount));
  return {
    secrets: accountNames.map((name) => ({
      ...wish(secrets, name, namespace),
      stringData: { accessToken: `token of ${name}`, appSecret: `app secret of ${name}`, verifyToken: "verify" },
    })),
    accounts: accountNames.map((name, index) => ({
      ...wish(businessAccounts, name, namespace),
      spec: { wabaId: String(700_000_000 + index), credentialsRef: { name } },
    })),
    numbers: names("number", size).map((name, index) => ({
      ...wish(whatsAppNumbers, name, namespace),
      spec: {
        accountRef: { name: accountNames[Math.floor(index / perAccount)] },
        phoneNumberId: String(900_000_000 + index),
        phoneNumber: `+1555${String(index).padStart(7, "0")}`,
      },
    })),
    nodes: names("node", Math.ceil(size / podsPerNode)).map((name) => wish(nodes, name)),
  };
}

/** Names of equal length, so that they sort as they are counted. */
function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(5, "0")}`);
}

/** The default class, without canaries: their pause would be all that an upgrade shows. */
export function declareClass(image: string): Wish {
  const { metadata, ...rest } = wish(connectionClasses, "default");
  const annotations = { "heliograph.dev/is-default-class": "true" };
  return { ...rest, metadata: { ...metadata, annotations }, spec: { image, canary: { count: 0 } } };
}

function wish(resource: Resource, name: string, namespace?: string): Wish {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: { name, ...(namespace !== undefined && { namespace }) },
  };
}
