// What differs between two texts, word by word. Pure, and bounded: texts that share nothing are told so, not searched.

export interface Run {
  op: "equal" | "delete" | "insert";
  text: string;
}

/** Words that differ, at most, before whole lines are compared; lines, before the middle is taken as one change. */
const EDITS_MAX = 1_500;
/** Words beyond which lines are compared at once. */
const WORDS_MAX = 60_000;

/** `a` as it became `b`: the equal and deleted runs together are `a`, the equal and inserted ones `b`. */
export function diffWords(a: string, b: string): Run[] {
  if (a === b) return a === "" ? [] : [{ op: "equal", text: a }];
  const one = words(a);
  const two = words(b);
  const found =
    one.length + two.length <= WORDS_MAX ? (edits(one, two) ?? edits(lines(a), lines(b))) : edits(lines(a), lines(b));
  return joined(found ?? whole(a, b));
}

function words(text: string): string[] {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}

function lines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function whole(a: string, b: string): Run[] {
  return [
    { op: "delete", text: a },
    { op: "insert", text: b },
  ];
}

/** Myers' shortest edit script over what is left when the common ends are off; null beyond EDITS_MAX edits. */
function edits(a: readonly string[], b: readonly string[]): Run[] | null {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let ends = 0;
  while (ends < Math.min(a.length, b.length) - start && a[a.length - 1 - ends] === b[b.length - 1 - ends]) ends++;
  const one = a.slice(start, a.length - ends);
  const two = b.slice(start, b.length - ends);
  const middle = script(one, two);
  if (middle === null) return null;
  const runs = middle.map(({ op, at, to }) => ({ op, text: (op === "insert" ? two : one).slice(at, to).join("") }));
  return [
    { op: "equal", text: a.slice(0, start).join("") },
    ...runs,
    { op: "equal", text: a.slice(a.length - ends).join("") },
  ];
}

interface Step {
  op: Run["op"];
  at: number;
  to: number;
}

function script(a: readonly string[], b: readonly string[]): Step[] | null {
  const most = Math.min(a.length + b.length, EDITS_MAX);
  const offset = most + 1;
  const furthest = new Int32Array(2 * most + 3);
  const past: Int32Array[] = [];
  for (let d = 0; d <= most; d++) {
    past.push(furthest.slice(offset - d - 1, offset + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && furthest[offset + k - 1]! < furthest[offset + k + 1]!);
      let x = down ? furthest[offset + k + 1]! : furthest[offset + k - 1]! + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      furthest[offset + k] = x;
      if (x >= a.length && x - k >= b.length) return back(a.length, b.length, past);
    }
  }
  return null;
}

function back(lengthA: number, lengthB: number, past: readonly Int32Array[]): Step[] {
  const steps: Step[] = [];
  let x = lengthA;
  let y = lengthB;
  for (let d = past.length - 1; d >= 0; d--) {
    const before = past[d]!;
    const at = (k: number) => before[k + d + 1]!;
    const k = x - y;
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const fromX = d === 0 ? 0 : down ? at(k + 1) : at(k - 1);
    const fromY = d === 0 ? 0 : fromX - (down ? k + 1 : k - 1);
    const turn = d === 0 ? 0 : down ? fromX : fromX + 1;
    if (x > turn) steps.push({ op: "equal", at: turn, to: x });
    if (d > 0)
      steps.push(down ? { op: "insert", at: fromY, to: fromY + 1 } : { op: "delete", at: fromX, to: fromX + 1 });
    x = fromX;
    y = fromY;
  }
  return steps.reverse();
}

/** Runs of one kind as one, and in each change what went before what came. */
function joined(runs: readonly Run[]): Run[] {
  const out: Run[] = [];
  let gone = "";
  let come = "";
  const flush = () => {
    if (gone !== "") out.push({ op: "delete", text: gone });
    if (come !== "") out.push({ op: "insert", text: come });
    gone = "";
    come = "";
  };
  for (const { op, text } of runs) {
    if (text === "") continue;
    if (op === "delete") gone += text;
    else if (op === "insert") come += text;
    else {
      flush();
      const last = out.at(-1);
      if (last?.op === "equal") last.text += text;
      else out.push({ op, text });
    }
  }
  flush();
  return out;
}
