// A picture that is in a text itself. One that is elsewhere is never fetched: its address stands here to be followed.
import { useState } from "preact/hooks";
import { bytes } from "../model/format.ts";

const INLINE = /^data:image\/(?:png|jpeg|gif|webp|avif)[;,]/i;
const FOLLOWED = /^https?:/i;

export function Picture({ url, alt }: { url: string; alt: string }) {
  const [broken, setBroken] = useState(false);
  if (INLINE.test(url) && !broken) {
    return (
      <figure class="picture">
        <img src={url} alt={alt} onError={() => setBroken(true)} />
        <figcaption class="dim">{bytes(url.length)}</figcaption>
      </figure>
    );
  }
  if (FOLLOWED.test(url)) {
    return (
      <p class="picture-away">
        image, not loaded:{" "}
        <a href={url} target="_blank" rel="noopener noreferrer nofollow">
          {url.slice(0, 300)}
        </a>
      </p>
    );
  }
  return (
    <p class="dim">
      an image that cannot be shown ({bytes(url.length)}): {url.slice(0, 60)}…
    </p>
  );
}
