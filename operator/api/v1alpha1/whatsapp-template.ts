// Made by operator/api/generate.ts from the CRD. Do not edit.
import type { ObjectMeta } from "../metadata.ts";

export type WhatsAppTemplate = {
  apiVersion: "heliograph.dev/v1alpha1";
  kind: "WhatsAppTemplate";
  metadata: ObjectMeta;
  spec: {
    accountRef: {
      name: string;
    };
    name: string;
    language: string;
    category: "Marketing" | "Utility" | "Authentication";
    parameterFormat: "Positional" | "Named";
    messageTtlSeconds?: number;
    header?: {
      type: "Text" | "Image" | "Video" | "Document" | "Location";
      text?: string;
      variables?: {
        name: string;
        example: string;
      }[];
      exampleHandle?: string;
    };
    body?: {
      text: string;
      variables?: {
        name: string;
        example: string;
      }[];
    };
    footer?: {
      text: string;
    };
    buttons?: {
      type: "QuickReply" | "Url" | "PhoneNumber" | "CopyCode";
      text?: string;
      url?: string;
      phoneNumber?: string;
      example?: string;
    }[];
    authentication?: {
      securityRecommendation: "Show" | "Hide";
      codeExpirationMinutes?: number;
      codeButton: {
        type: "CopyCode" | "OneTap" | "ZeroTap";
        text?: string;
        autofillText?: string;
        supportedApps?: {
          packageName: string;
          signatureHash: string;
        }[];
        zeroTapTerms?: "Accepted";
      };
    };
    managementPolicy: "Enforce" | "Observe";
    deletionPolicy: "Retain" | "Delete";
  };
  status?: {
    observedGeneration?: number;
    wabaId?: string;
    id?: string;
    state?: string;
    category?: string;
    rejectedReason?: string;
    qualityScore?: string;
    drift?: {
      field: string;
      declared?: string;
      observed?: string;
    }[];
    submittedHash?: string;
    lastSubmittedTime?: string;
    nextEditTime?: string;
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
