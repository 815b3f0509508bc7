// The `pricing` object of a status, by the model of the day. Months and dates are taken in UTC.

/** Meta's template category, or SERVICE for anything that is not a template. */
export type PricedCategory = "MARKETING" | "UTILITY" | "AUTHENTICATION" | "SERVICE";

/** As it stands in a status. */
export type Pricing = {
  billable: boolean;
  pricing_model: "PMP";
  type: "regular" | "free_customer_service";
  category: "marketing" | "utility" | "authentication" | "service";
};

export type PricingFacts = {
  category: PricedCategory;
  windowOpen: boolean;
  /** Service messages that this number has delivered in the calendar month of `at`. */
  serviceDelivered: number;
  /** When it is sent, ms. */
  at: number;
};

/** From here on service messages cost beyond the free ones, and utility templates cost inside the window too. */
const paidServiceFrom = Date.UTC(2026, 9, 1);
const freeServiceMessages = 1_000;

/** One object for each price, shared by all messages that have it: a long run keeps millions of them. */
const prices = {
  MARKETING: pricesOf("marketing"),
  UTILITY: pricesOf("utility"),
  AUTHENTICATION: pricesOf("authentication"),
  SERVICE: pricesOf("service"),
} satisfies Record<PricedCategory, { free: Pricing; regular: Pricing }>;

function pricesOf(category: Pricing["category"]): { free: Pricing; regular: Pricing } {
  return {
    free: { billable: false, pricing_model: "PMP", type: "free_customer_service", category },
    regular: { billable: true, pricing_model: "PMP", type: "regular", category },
  };
}

export function priceOf({ category, windowOpen, serviceDelivered, at }: PricingFacts): Pricing {
  const free = isFree(category, windowOpen, serviceDelivered, at >= paidServiceFrom);
  return free ? prices[category].free : prices[category].regular;
}

function isFree(
  category: PricedCategory,
  windowOpen: boolean,
  serviceDelivered: number,
  servicePaid: boolean,
): boolean {
  switch (category) {
    case "MARKETING":
    case "AUTHENTICATION":
      return false;
    case "UTILITY":
      return windowOpen && !servicePaid;
    case "SERVICE":
      return !servicePaid || serviceDelivered < freeServiceMessages;
  }
}

/** The calendar month of an instant, for the count of free service messages. */
export function monthOf(at: number): string {
  return new Date(at).toISOString().slice(0, 7);
}
