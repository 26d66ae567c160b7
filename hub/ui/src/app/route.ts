// Where the page is: the address is the state. A view reads `route`, and moves on with `go` or a plain link.
import { signal } from "@preact/signals";

export interface Route {
  path: string;
  query: URLSearchParams;
}

let lastList = "/";

/** The list as it was last shown, with its filter and its order: where "back to the list" goes. */
export function listPath(): string {
  return lastList;
}

function read(): Route {
  if (location.pathname === "/") lastList = location.pathname + location.search;
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

export const route = signal<Route>(read());

/** Go to an address of this page. `replace` leaves no step to go back to: for what changes with every key or row. */
export function go(address: string, { replace = false }: { replace?: boolean } = {}): void {
  const here = location.pathname + location.search;
  if (address === here) return;
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  route.value = read();
}

/** Set or, with null, drop parameters of the address as it is. */
export function setQuery(changes: Record<string, string | null>, replace = true): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  go(address(location.pathname, query), { replace });
}

/** A path and a query as an address, with the signs of the filter language left readable. */
export function address(path: string, query: URLSearchParams): string {
  const text = query.toString().replaceAll("%3A", ":").replaceAll("%2F", "/").replaceAll("%2C", ",");
  return text === "" ? path : `${path}?${text}`;
}

export function tracePath(traceId: string, spanId?: string): string {
  const path = `/traces/${encodeURIComponent(traceId)}`;
  return spanId === undefined ? path : address(path, new URLSearchParams({ span: spanId }));
}

/** Follow links to this page without loading it again. What a browser does with a key held or another button stays its. */
export function followLinks(known: (path: string) => boolean): void {
  addEventListener("popstate", () => {
    route.value = read();
  });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.("a[href]");
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute("download")) return;
    if (link.origin !== location.origin || !known(link.pathname)) return;
    event.preventDefault();
    if (link.hash !== "" && link.pathname === location.pathname) {
      // a place in this page, as "Skip to the content" names one: the focus goes there, the address stays
      document.getElementById(link.hash.slice(1))?.focus();
      return;
    }
    go(link.pathname + link.search);
  });
}
