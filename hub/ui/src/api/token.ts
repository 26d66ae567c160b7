// The token of a Beacon that asks for one (BEACON_TOKEN): kept for this tab alone, and given to nobody but the page's own
// origin.
const KEY = "beacon.token";

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
