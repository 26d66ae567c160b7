// Server-sent events as they come in pieces (https://html.spec.whatwg.org/multipage/server-sent-events.html). Pure.

export interface ServerEvent {
  name: string;
  data: string;
}

/** Takes the text of a stream piece by piece; gives the events that are whole with each. */
export class EventReader {
  private rest = "";

  feed(text: string): ServerEvent[] {
    const lines = (this.rest + text).split("\n\n");
    this.rest = lines.pop()!;
    const found: ServerEvent[] = [];
    for (const block of lines) {
      let name = "message";
      const data: string[] = [];
      for (const line of block.split("\n")) {
        const colon = line.indexOf(":");
        if (colon <= 0) continue; // a comment keeps the connection
        const value = line.slice(colon + 1).replace(/^ /, "");
        if (line.startsWith("event:")) name = value;
        else if (line.startsWith("data:")) data.push(value);
      }
      if (data.length > 0) found.push({ name, data: data.join("\n") });
    }
    return found;
  }
}
