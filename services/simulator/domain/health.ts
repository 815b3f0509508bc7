// Meta's health_status: what of the account, its owner and the number limits sending. The worst decides.

type Verdict = "AVAILABLE" | "LIMITED" | "BLOCKED";
type HealthError = { error_code: number; error_description: string; possible_solution: string };
type Entity = { entity_type: string; id: string; can_send_message: Verdict; errors?: HealthError[] };

export type HealthFacts = {
  appId: string;
  businessId: string;
  wabaId: string;
  isVerified: boolean;
  hasPayment: boolean;
  reviewStatus: string;
  /** Absent where the account itself is asked. */
  number?: { phoneNumberId: string; isRegistered: boolean };
};

const paymentMissing: HealthError = {
  error_code: 141006,
  error_description: "There is an error with the payment method",
  possible_solution: "Add a payment method to the account",
};
const notVerified: HealthError = {
  error_code: 141010,
  error_description: "The business is not verified",
  possible_solution: "Verify the business in its security settings",
};
const notRegistered: HealthError = {
  error_code: 141000,
  error_description: "The phone number is not registered",
  possible_solution: "Register the phone number",
};

export function healthStatus(facts: HealthFacts): { can_send_message: Verdict; entities: Entity[] } {
  const { number } = facts;
  const entities = [
    ...(number === undefined
      ? []
      : [entity("PHONE_NUMBER", number.phoneNumberId, number.isRegistered ? [] : [notRegistered], "BLOCKED")]),
    entity("WABA", facts.wabaId, facts.hasPayment ? [] : [paymentMissing], "BLOCKED"),
    entity("BUSINESS", facts.businessId, facts.isVerified ? [] : [notVerified], "LIMITED"),
    entity("APP", facts.appId, [], "AVAILABLE"),
  ];
  const verdicts = new Set(entities.map(({ can_send_message: verdict }) => verdict));
  const isRejected = facts.reviewStatus === "REJECTED" || verdicts.has("BLOCKED");
  return { can_send_message: isRejected ? "BLOCKED" : verdicts.has("LIMITED") ? "LIMITED" : "AVAILABLE", entities };
}

function entity(type: string, id: string, errors: HealthError[], worst: Verdict): Entity {
  if (errors.length === 0) return { entity_type: type, id, can_send_message: "AVAILABLE" };
  return { entity_type: type, id, can_send_message: worst, errors };
}
