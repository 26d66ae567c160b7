// What was changed of calls and not run yet: there again when a replay is opened again, and after the page is loaded again,
// for as long as the tab is open.
import type { Draft } from "../../model/replay.ts";

const drafts = new Map<string, Draft>();
const DRAFTS_MAX = 20;
const PREFIX = "beacon.replay:";
/** Characters of a draft that is kept over a reload: a browser gives a tab some five million in all. */
const KEPT_MAX = 500_000;

export function keptDraft(id: string): Draft | null {
  const known = drafts.get(id);
  if (known !== undefined) return known;
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + id) ?? "null") as Draft | null;
  } catch {
    return null;
  }
}

let timer: ReturnType<typeof setTimeout> | undefined;

export function keepDraft(id: string, draft: Draft): void {
  drafts.delete(id);
  drafts.set(id, draft);
  if (drafts.size > DRAFTS_MAX) drafts.delete(drafts.keys().next().value!);
  // not with every key: writing a long prompt takes longer than a key may
  clearTimeout(timer);
  timer = setTimeout(() => store(id, draft), 200);
}

function store(id: string, draft: Draft): void {
  try {
    const text = JSON.stringify(draft);
    if (text.length <= KEPT_MAX) sessionStorage.setItem(PREFIX + id, text);
    else sessionStorage.removeItem(PREFIX + id);
  } catch {
    // no storage, or it is full: it is there until the page is left
  }
}

export function dropDraft(id: string): void {
  clearTimeout(timer);
  drafts.delete(id);
  try {
    sessionStorage.removeItem(PREFIX + id);
  } catch {
    // there is none
  }
}
