// Runs before the first paint, alone: a page in the wrong colours for a moment is a flash, and the code of a view that is
// asked for only by the code before it comes two answers later.

/** The files of the view whose paths begin so, and are not in the page anyway: `scripts/build.mjs` fills it in. */
declare const VIEW_FILES: ReadonlyArray<readonly [path: string, files: readonly string[]]>;

try {
  const theme = localStorage.getItem("beacon.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // no storage: the system's theme
}

const folder = (document.currentScript as HTMLScriptElement).src.replace(/[^/]*$/, "");
for (const [path, files] of VIEW_FILES) {
  if (!location.pathname.startsWith(path)) continue;
  for (const file of files) {
    const link = document.createElement("link");
    link.rel = "modulepreload";
    link.href = folder + file;
    document.head.append(link);
  }
}
