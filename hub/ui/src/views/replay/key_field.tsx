// The key of a provider, asked for in the place where it is needed.
import { useState } from "preact/hooks";
import { ask } from "../../api/client.ts";
import { describe } from "../../components/states.tsx";

interface Props {
  provider: string;
  /** Where the key will be sent, and nowhere else. */
  baseUrl: string;
  saved(): void;
}

export function KeyField({ provider, baseUrl, saved }: Props) {
  const [key, setKey] = useState("");
  const [wrong, setWrong] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    setWrong(null);
    const answer = await ask("PUT /v1/settings/api-keys", { body: { provider, api_key: key.trim() } });
    setBusy(false);
    if (answer.ok) {
      setKey("");
      saved();
    } else setWrong(describe(answer.failure));
  };
  return (
    <form
      class="key-field"
      aria-label={`API key of ${provider}`}
      onSubmit={(event) => {
        event.preventDefault();
        if (key.trim() !== "") void save();
      }}
    >
      <p>
        <strong>There is no API key for {provider}.</strong> It stays on this machine, in a file only you can read, and
        is sent to <code>{baseUrl}</code> alone.
      </p>
      <p class="buttons">
        <input
          type="password"
          aria-label={`API key for ${provider}`}
          placeholder="API key"
          autocomplete="off"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
        <button type="submit" disabled={busy || key.trim() === ""}>
          Save the key
        </button>
      </p>
      {wrong ? (
        <p class="bad" role="alert">
          {wrong}
        </p>
      ) : null}
    </form>
  );
}
