// What happened in a span and what it is linked with, as OpenTelemetry tells it.
import { useContext, useState } from "preact/hooks";
import type { WholeSpan } from "../../api/schema.ts";
import { tracePath } from "../../app/route.ts";
import { Crowded } from "../../components/json_tree.tsx";
import { Value } from "../../components/value.tsx";
import { duration, exact, moment, plural } from "../../model/format.ts";

const PAGE = 50;
/** Beside more than so many events, as many attributes of each are shown: an exception has four. */
const CROWD = 10;
const CROWDED = 4;

export function Events({ span }: { span: WholeSpan }) {
  const [shown, setShown] = useState(PAGE);
  const { events = [], links = [] } = span;
  if (events.length + links.length === 0) return <p class="dim pad">It has no events and no links.</p>;
  return (
    <div class="events">
      <Crowded.Provider value={events.length > CROWD}>
        {events.slice(0, shown).map((event, i) => (
          <section key={i} class="event" aria-label={event.name}>
            <header>
              <h3>{event.name || "(no name)"}</h3>
              <small class="dim" title={moment(event.time)}>
                {event.time < span.start_time ? "before it" : `+${duration((event.time - span.start_time) * 1000)}`}
              </small>
            </header>
            <Said attributes={event.attributes} />
          </section>
        ))}
      </Crowded.Provider>
      {events.length > shown ? (
        <button type="button" class="more" onClick={() => setShown(shown + PAGE)}>
          Show more of {exact(events.length)} events
        </button>
      ) : null}
      {links.length > 0 ? (
        <section class="event" aria-label="Links">
          <h3>Links</h3>
          <ul>
            {links.slice(0, PAGE).map((link) => (
              <li key={`${link.trace_id} ${link.span_id}`}>
                <a href={tracePath(link.trace_id, link.span_id)}>
                  {link.trace_id} › {link.span_id}
                </a>
              </li>
            ))}
          </ul>
        </section>
      ) : null}
    </div>
  );
}

function Said({ attributes }: { attributes: Record<string, unknown> }) {
  const crowded = useContext(Crowded);
  const [shown, setShown] = useState(crowded ? CROWDED : PAGE);
  const entries = Object.entries(attributes);
  return (
    <>
      {entries.slice(0, shown).map(([name, value]) => (
        <Value key={name} title={name} value={value} />
      ))}
      {entries.length > shown ? (
        <button type="button" class="more" onClick={() => setShown(shown + PAGE)}>
          Show more of {plural(entries.length, "attribute")}
        </button>
      ) : null}
    </>
  );
}
