// Made by operator/api/generate.ts from the CRD. Do not edit.
import type { ObjectMeta } from "../metadata.ts";

export type ConnectionClass = {
  apiVersion: "heliograph.dev/v1alpha1";
  kind: "ConnectionClass";
  metadata: ObjectMeta;
  spec: {
    image?: string;
    imagePullPolicy: "IfNotPresent" | "Always" | "Never";
    imagePullSecrets?: {
      name: string;
    }[];
    resources: {
      requests: {
        cpu: string;
        memory: string;
      };
      limits: {
        memory: string;
      };
    };
    heapPercent: number;
    nodeSelector?: Record<string, string>;
    tolerations?: {
      key?: string;
      operator: "Equal" | "Exists";
      value?: string;
      effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
      tolerationSeconds?: number;
    }[];
    topologySpreadConstraints: {
      topologyKey: string;
      whenUnsatisfiable: "ScheduleAnyway" | "DoNotSchedule";
      maxSkew: number;
    }[];
    priorityClassName?: string;
    runtimeClassName?: string;
    terminationGracePeriodSeconds: number;
    podTemplate?: {
      metadata?: {
        labels?: Record<string, string>;
        annotations?: Record<string, string>;
      };
      spec?: Record<string, unknown>;
    };
    surge: {
      percent: number;
      min: number;
      max: number;
    };
    canary: {
      count?: number;
      percent?: number;
      pauseSeconds: number;
    };
    takeover: {
      standbyTimeoutSeconds: number;
      unreachableSeconds: number;
    };
    drainSeconds: number;
  };
  status?: {
    observedGeneration?: number;
    rollout?: {
      revision?: string;
      startedTime?: string;
      canaryReadyTime?: string;
      completedTime?: string;
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
