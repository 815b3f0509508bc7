// What every Kubernetes object has, as far as we read it.

export type ObjectMeta = {
  name: string;
  namespace?: string;
};
