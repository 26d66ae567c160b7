// What is around every view: rail, top bar, the line that says whether Beacon is there, toasts, dialogs.
import { computed, effect, signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { tokenWanted } from "../api/token.ts";
import { Help } from "../components/help.tsx";
import { CloseIcon, DocsIcon, HelpIcon, MoonIcon, SearchIcon, SunIcon, SystemIcon } from "../components/icons.tsx";
import { Key } from "../components/key.tsx";
import { SearchHits } from "../components/marked.tsx";
import { Palette } from "../components/palette.tsx";
import { Boundary, Message, Skeleton } from "../components/states.tsx";
import { TokenPage } from "../components/token_page.tsx";
import { live } from "../live/connection.ts";
import { straight } from "../model/straight.ts";
import { caughtUp } from "../state/caught_up.ts";
import { density, setDensity } from "../state/density.ts";
import { setTheme, THEMES, theme } from "../state/theme.ts";
import { dismiss, toasts } from "../state/toasts.ts";
import { DropAnywhere } from "../views/traces/import.tsx";
import { registerCommands } from "./commands.ts";
import { overlay } from "./overlays.ts";
import { go, listPath, route } from "./route.ts";
import { settled } from "./settled.ts";
import { subject } from "./subject.ts";
import { VIEWS, type View, type ViewProps, viewAt } from "./views.ts";

const here = computed(() => viewAt(route.value.path));

export function Shell() {
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <div class="shell">
        <Rail />
        <div class="stage">
          <TopBar />
          {tokenWanted.value ? null : <Banner />}
          <SearchHits />
          <main id="main" tabIndex={-1}>
            <Boundary resetKey={route.value.path}>{tokenWanted.value ? <TokenPage /> : <Stage />}</Boundary>
          </main>
        </div>
      </div>
      <DropAnywhere />
      <Toasts />
      {overlay.value === "palette" ? <Palette /> : null}
      {overlay.value === "help" ? <Help /> : null}
    </>
  );
}

function Rail() {
  return (
    <nav class="rail" aria-label="Pages">
      {VIEWS.filter((view) => view.rail).map((view) => {
        const Icon = view.rail!.icon;
        const current = here.value?.view === view || (view.id === "traces" && here.value?.view.id === "trace");
        return (
          <a
            key={view.id}
            href={view.path}
            title={view.title}
            aria-label={view.title}
            aria-current={current ? "page" : undefined}
          >
            <Icon />
          </a>
        );
      })}
      <a class="rail-last" href="/docs" title="HTTP API" aria-label="HTTP API">
        <DocsIcon />
      </a>
    </nav>
  );
}

function TopBar() {
  const view = here.value?.view;
  const title = view === undefined ? "Beacon" : `${subject.value ?? view.title} · Beacon`;
  useEffect(() => {
    document.title = straight(title);
  }, [title]);
  return (
    <header class="top">
      <nav class="crumbs" aria-label="Where you are">
        <a href={subject.value === null ? "/" : listPath()}>{subject.value === null ? "Beacon" : "Traces"}</a>
        <span aria-hidden="true">/</span>
        <span class="crumb-last" aria-current="page" title={subject.value ?? undefined}>
          {subject.value ?? view?.title ?? "Not found"}
        </span>
      </nav>
      <button type="button" class="find" onClick={() => show("palette")}>
        <SearchIcon />
        <span>Search</span>
        <Key keys="Ctrl+K" />
      </button>
      <LiveDot />
      <button
        type="button"
        class="quiet"
        title={`Theme: ${theme.value}`}
        aria-label={`Theme: ${theme.value}`}
        onClick={nextTheme}
      >
        {theme.value === "dark" ? <MoonIcon /> : theme.value === "light" ? <SunIcon /> : <SystemIcon />}
      </button>
      <button type="button" class="quiet" title="Keys (?)" aria-label="Keys" onClick={() => show("help")}>
        <HelpIcon />
      </button>
    </header>
  );
}

function LiveDot() {
  const state = live.state.value;
  const text = state.kind === "live" ? "live" : state.kind === "waiting" ? "offline" : "connecting";
  return (
    <span
      class={`live live-${state.kind}`}
      title={state.kind === "live" ? "What happens is shown as it happens" : text}
    >
      <span class="live-dot" aria-hidden="true" />
      <span>{text}</span>
    </span>
  );
}

/** Says that Beacon is away and when it is tried again; afterwards, what was missed. */
function Banner() {
  const state = live.state.value;
  const waiting = state.kind === "waiting";
  const [, tick] = useState(0);
  useEffect(() => {
    if (!waiting) return;
    const timer = setInterval(() => tick((n) => n + 1), 250);
    return () => clearInterval(timer);
  }, [waiting]);
  return (
    <div class="banners" role="status">
      {waiting ? (
        <p class="banner banner-away">
          <span>
            Beacon does not answer at {location.host}.{" "}
            <span aria-hidden="true">
              {state.at > Date.now()
                ? `Trying again in ${Math.ceil((state.at - Date.now()) / 1000)} s.`
                : "Trying again…"}
            </span>{" "}
            If it is not running, start it with <code>beacon up</code>.
          </span>
          <button type="button" onClick={() => live.retry()}>
            Retry now
          </button>
        </p>
      ) : caughtUp.value !== null ? (
        <p class="banner banner-back">{caughtUp.value}</p>
      ) : null}
    </div>
  );
}

function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map(({ id, text, kind }) => (
        <p key={id} class={`toast toast-${kind}`}>
          <span>{text}</span>
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => dismiss(id)}>
            <CloseIcon />
          </button>
        </p>
      ))}
    </div>
  );
}

// ---------------------------------------------------------------- views

const loaded = signal<ReadonlyMap<string, ComponentType<ViewProps> | Error>>(new Map());

function Stage() {
  const found = here.value;
  if (found === null) {
    return (
      <Message title="There is no such page">
        <p>
          Nothing is at <code>{route.value.path}</code>. <a href="/">All traces</a>
        </p>
      </Message>
    );
  }
  const Part = found.view.component ?? loaded.value.get(found.view.id);
  if (Part === undefined) {
    fetchView(found.view);
    return <Skeleton />;
  }
  if (Part instanceof Error) {
    return (
      <Message title="This part of the page could not be loaded">
        <p role="alert">Beacon may have been updated since this page was opened, or it is not running.</p>
        <button type="button" onClick={() => location.reload()}>
          Reload the page
        </button>
      </Message>
    );
  }
  return <Part key={found.view.id + JSON.stringify(found.params)} params={found.params} />;
}

const fetching = new Set<string>();

/** Fetch a view's code. One that is fetched `ahead` and cannot be had is asked for again when it is opened. */
function fetchView(view: View, ahead = false): void {
  if (fetching.has(view.id)) return;
  fetching.add(view.id);
  const done = (part: ComponentType<ViewProps> | Error) => {
    loaded.value = new Map(loaded.value).set(view.id, part);
  };
  view.load!()
    .then(
      (module) => done(module.default),
      (error) => {
        if (!ahead || here.value?.view === view) done(error instanceof Error ? error : new Error(String(error)));
      },
    )
    .finally(() => fetching.delete(view.id));
}

/**
 * Once the first view has what it was opened for, fetch the code of the others: the first trace that is opened then waits
 * for its spans alone.
 */
export function fetchViewsAhead(): void {
  const idle = window.requestIdleCallback ?? ((then: () => void) => setTimeout(then, 200));
  const stop = effect(() => {
    if (!settled.value) return;
    idle(() => {
      stop();
      for (const view of VIEWS) if (view.load && !loaded.value.has(view.id)) fetchView(view, true);
    });
  });
}

// ---------------------------------------------------------------- commands of every page

function show(what: "palette" | "help"): void {
  overlay.value = what;
}

function nextTheme(): void {
  setTheme(THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!);
}

export function registerShellCommands(): void {
  registerCommands([
    {
      id: "palette",
      hidden: true,
      title: "Search and commands",
      group: "Everywhere",
      keys: ["Ctrl+K"],
      whileTyping: true,
      run: () => show("palette"),
    },
    { id: "search", title: "Search all spans", group: "Everywhere", run: () => show("palette") },
    { id: "help", title: "Show the keys", group: "Everywhere", keys: ["?"], run: () => show("help") },
    ...VIEWS.filter((view) => view.rail).map((view) => ({
      id: `go-${view.id}`,
      title: `Go to ${view.title.toLowerCase()}`,
      group: "Everywhere",
      keys: [view.rail!.keys],
      run: () => go(view.path),
    })),
    ...THEMES.map((name) => ({
      id: `theme-${name}`,
      title: `Theme: ${name}`,
      group: "Theme",
      run: () => setTheme(name),
    })),
    {
      id: "density",
      title: "Rows: compact or comfortable",
      group: "Theme",
      run: () => setDensity(density.value === "compact" ? "comfortable" : "compact"),
    },
    {
      id: "docs",
      title: "Open the HTTP API",
      group: "Everywhere",
      run: () => location.assign("/docs"),
    },
  ]);
}
