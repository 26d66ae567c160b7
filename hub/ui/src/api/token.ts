// The token of a Beacon that asks for one (BEACON_TOKEN): kept for this tab alone, and given to nobody but the page's own
// origin.
import { signal } from "@preact/signals";

const KEY = "beacon.token";

/** Beacon has refused a request for want of a token, or of the right one. */
export const tokenWanted = signal(false);

export function readToken(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function keepToken(token: string): void {
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // a browser without storage asks again with the next page
  }
}
