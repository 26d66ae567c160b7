// A key, as it stands on this keyboard.
import { shown } from "../app/keys.ts";

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

export function Key({ keys }: { keys: string }) {
  return <kbd>{shown(keys, MAC)}</kbd>;
}
