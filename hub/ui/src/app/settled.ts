// Whether the first view has what it was opened for: only then is there time for what may be wanted next.
import { signal } from "@preact/signals";

export const settled = signal(false);
