// Made by operator/api/generate.ts from the CRD. Do not edit.
import type { ObjectMeta } from "../metadata.ts";

export type WebhookSubscription = {
  apiVersion: "heliograph.dev/v1alpha1";
  kind: "WebhookSubscription";
  metadata: ObjectMeta;
  spec: {
    url: string;
    dialect: "Cloud" | "OnPremises" | "Native";
    events?: ("Messages" | "Statuses" | "Account")[];
    numberRefs?: {
      name: string;
    }[];
    accountRefs?: {
      name: string;
    }[];
    secretRef: {
      name: string;
      key: string;
    };
    previousSecretRef?: {
      name: string;
      key: string;
    };
    keepTryingSeconds: number;
    timeoutSeconds: number;
    concurrency: number;
  };
  status?: {
    observedGeneration?: number;
    circuit?: "Closed" | "Open";
    pending?: number;
    oldestPendingTime?: string;
    lastSuccessTime?: string;
    lastFailureTime?: string;
    lastFailure?: string;
    conditions?: {
      type: string;
      status: "True" | "False" | "Unknown";
      observedGeneration?: number;
      lastTransitionTime: string;
      reason: string;
      message: string;
    }[];
  };
};
