// What happened in a span and what it is linked with, as OpenTelemetry tells it.
import { useState } from "preact/hooks";
import type { WholeSpan } from "../../api/schema.ts";
import { tracePath } from "../../app/route.ts";
import { Value } from "../../components/value.tsx";
import { duration, exact, moment } from "../../model/format.ts";

const PAGE = 100;

export function Events({ span }: { span: WholeSpan }) {
  const [shown, setShown] = useState(PAGE);
  const { events = [], links = [] } = span;
  if (events.length + links.length === 0) return <p class="dim pad">It has no events and no links.</p>;
  return (
    <div class="events">
      {events.slice(0, shown).map((event, i) => (
        <section key={i} class="event" aria-label={event.name}>
          <header>
            <h3>{event.name || "(no name)"}</h3>
            <small class="dim" title={moment(event.time)}>
              {event.time < span.start_time ? "before it" : `+${duration((event.time - span.start_time) * 1000)}`}
            </small>
          </header>
          {Object.entries(event.attributes)
            .slice(0, PAGE)
            .map(([name, value]) => (
              <Value key={name} title={name} value={value} />
            ))}
        </section>
      ))}
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
