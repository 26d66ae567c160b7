// Names of agents within sentences of this page. Pure.

/** Signs that turn the direction of what comes after them: https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters */
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** `text` without signs that would turn what stands beside it. For where no element can keep them to themselves: the
 * title of the window, the text of a note. */
export function straight(text: string): string {
  return text.replace(TURNS, "");
}
