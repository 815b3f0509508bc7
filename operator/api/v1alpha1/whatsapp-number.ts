// Made by operator/api/generate.ts from the CRD. Do not edit.
import type { ObjectMeta } from "../metadata.ts";

export type WhatsAppNumber = {
  apiVersion: "heliograph.dev/v1alpha1";
  kind: "WhatsAppNumber";
  metadata: ObjectMeta;
  spec: {
    accountRef: {
      name: string;
    };
    phoneNumberId: string;
    phoneNumber: string;
    displayName?: string;
    credentialsRef?: {
      name: string;
    };
    registration?: {
      pinRef: {
        name: string;
        key: string;
      };
    };
    connectionClassName?: string;
    desiredState: "Connected" | "Disconnected";
    messagesPerSecond: number;
    queueLimit: number;
    messageTtlSeconds: number;
    unknownPolicy: "Fail" | "Resend";
    unknownTimeoutSeconds: number;
    contentPolicy: "Store" | "PassThrough";
    disruption: {
      policy: "Migrate" | "Block";
    };
    deletionPolicy: "Retain" | "Delete";
  };
  status?: {
    observedGeneration?: number;
    maskedPhoneNumber?: string;
    verifiedName?: string;
    nameStatus?: string;
    standing?: string;
    standingUntil?: string;
    throughput?: string;
    qualityRating?: "Green" | "Yellow" | "Red" | "Unknown";
    messagingLimit?: string;
    messagingLimitUsed?: string;
    registeredHash?: string;
    connection?: {
      epoch?: number;
      podName?: string;
      podUid?: string;
      nodeName?: string;
      address?: string;
      connectedSince?: string;
    };
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
