// Tabs (ARIA): one stop for the Tab key, arrows go along them.
import { useRef } from "preact/hooks";

interface Tab {
  id: string;
  title: string;
  count?: number;
}

interface Props {
  label: string;
  /** Id of the element they show; absent where it is not one element. */
  panel?: string;
  tabs: readonly Tab[];
  chosen: string;
  choose(id: string): void;
}

export function Tabs({ label, panel, tabs, chosen, choose }: Props) {
  const list = useRef<HTMLDivElement>(null);
  const step = (by: number) => {
    const at = tabs.findIndex(({ id }) => id === chosen);
    const next = (at + by + tabs.length) % tabs.length;
    choose(tabs[next]!.id);
    (list.current?.children[next] as HTMLElement | undefined)?.focus();
  };
  return (
    <div
      class="tabs"
      role="tablist"
      aria-label={label}
      ref={list}
      data-own-keys
      onKeyDown={(event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        event.preventDefault();
        step(event.key === "ArrowLeft" ? -1 : 1);
      }}
    >
      {tabs.map(({ id, title, count }) => (
        <button
          key={id}
          type="button"
          role="tab"
          aria-selected={id === chosen}
          aria-controls={panel}
          tabIndex={id === chosen ? 0 : -1}
          onClick={() => choose(id)}
        >
          {title}
          {count ? <small class="dim"> {count}</small> : null}
        </button>
      ))}
    </div>
  );
}
