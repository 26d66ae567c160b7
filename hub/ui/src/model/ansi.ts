// Output of a terminal as the text a person saw: without colours, and with what was written over replaced. Pure.

// CSI, OSC and DCS sequences (ECMA-48), then the two-character ones
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it takes out
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b\]|\u009d)[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[PX^_][^\u001b\u009c]*(?:\u001b\\|\u009c)?|\u001b[ -/]*[0-~]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all but tab and newline
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** `text` without escape sequences and control characters. Of a line that was written over (a progress bar), the last. */
export function plain(text: string): string {
  const bare = text.includes("\u001b") || text.includes("\u009b") ? text.replace(SEQUENCES, "") : text;
  const last = bare.includes("\r") ? bare.split("\n").map(lastWritten).join("\n") : bare;
  return last.replace(CONTROLS, "");
}

function lastWritten(line: string): string {
  const parts = line.split("\r");
  return parts.findLast((part) => part !== "") ?? "";
}
