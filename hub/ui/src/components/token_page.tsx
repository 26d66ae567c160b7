// Stands in place of everything where Beacon asks for a token (BEACON_TOKEN) and has not got the right one.
import { useState } from "preact/hooks";
import { keepToken, readToken } from "../api/token.ts";
import { Message } from "./states.tsx";

export function TokenPage() {
  const [token, setToken] = useState("");
  const tried = readToken() !== null;
  return (
    <Message title="This Beacon asks for a token">
      <p>It is what BEACON_TOKEN holds where Beacon was started. This tab keeps it until it is closed.</p>
      {tried ? (
        <p class="bad" role="alert">
          The token that was given is not the right one.
        </p>
      ) : null}
      <form
        class="buttons"
        aria-label="Token"
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() === "") return;
          keepToken(token.trim());
          // everything that was refused is asked again, the live stream too
          location.reload();
        }}
      >
        <input
          type="password"
          class="field"
          aria-label="Token"
          autocomplete="off"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit" disabled={token.trim() === ""}>
          Open
        </button>
      </form>
    </Message>
  );
}
