// Puts a text on the clipboard, and says so.
import { toast } from "../state/toasts.ts";
import { CopyIcon } from "./icons.tsx";

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${what}`, "good");
  } catch {
    toast(`The browser does not let this page copy ${what}. Select the text and copy it yourself.`, "bad");
  }
}

/** `text` may be a function, where to write it takes long: it is called when somebody wants it. */
export function CopyButton({ text, what }: { text: string | (() => string); what: string }) {
  return (
    <button
      type="button"
      class="quiet"
      title={`Copy ${what}`}
      aria-label={`Copy ${what}`}
      onClick={() => void copy(typeof text === "string" ? text : text(), what)}
    >
      <CopyIcon />
    </button>
  );
}
