// Made by operator/api/generate.ts from the CRD. Do not edit.
import type { ObjectMeta } from "../metadata.ts";

export type WhatsAppBusinessAccount = {
  apiVersion: "heliograph.dev/v1alpha1";
  kind: "WhatsAppBusinessAccount";
  metadata: ObjectMeta;
  spec: {
    wabaId: string;
    credentialsRef: {
      name: string;
    };
    upstreamUrl?: string;
  };
  status?: {
    observedGeneration?: number;
    name?: string;
    currency?: string;
    undeclaredNumbers?: {
      phoneNumberId: string;
      maskedPhoneNumber?: string;
      verifiedName?: string;
    }[];
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
