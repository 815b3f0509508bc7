// Which secrets of a subscription sign now. While a secret is being replaced two are valid, so that the receiver may change over at
// any moment of the overlap.

export type Rotation = {
  /** Newest first. */
  secrets: readonly string[];
  /** From then on only the first one signs; undefined: all of them do. */
  previousSecretsEndAt: Date | undefined;
};

/** Newest first. */
export function validSecrets({ secrets, previousSecretsEndAt }: Rotation, now: Date): readonly string[] {
  return previousSecretsEndAt !== undefined && now >= previousSecretsEndAt ? secrets.slice(0, 1) : secrets;
}
