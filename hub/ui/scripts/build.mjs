// src/ as hub/static/ui/: `node scripts/build.mjs [--watch] [--check] [--meta]`. Names of the output are stable: a view's
// chunk is named after its folder, what several share after who shares it; the hub puts them below a folder named after
// their contents (hub/assets.py).
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const UI = fileURLToPath(new URL("..", import.meta.url));
const TARGET = fileURLToPath(new URL("../../static/ui/", import.meta.url));

const COMMON = {
  absWorkingDir: UI,
  bundle: true,
  minify: true,
  target: ["chrome110", "firefox115", "safari16.4"],
  charset: "utf8",
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
  define: { "process.env.NODE_ENV": '"production"' },
  write: false,
  metafile: true,
  logLevel: "warning",
};

/** Every file of the output as [name, bytes], and esbuild's account of what is in each. */
async function make() {
  const [modules, workers, styles] = await Promise.all([
    build({
      ...COMMON,
      entryPoints: { app: "src/main.tsx" },
      format: "esm",
      splitting: true,
      chunkNames: "[name]~[hash]",
      outdir: "out",
    }),
    build({ ...COMMON, entryPoints: workerEntries(), format: "esm", outdir: "out" }),
    build({ ...COMMON, entryPoints: { app: "src/styles/index.css" }, outdir: "out" }),
  ]);
  const { files, needs } = named(modules);
  const atOnce = needs("app.js");
  const ahead = Object.entries(AHEAD).map(([path, view]) => [
    path,
    needs(view).filter((name) => !atOnce.includes(name)),
  ]);
  const early = await build({
    ...COMMON,
    entryPoints: { early: "src/early.ts" },
    define: { ...COMMON.define, VIEW_FILES: JSON.stringify(ahead) },
    format: "iife",
    outdir: "out",
  });
  const links = atOnce.filter((name) => name !== "app.js").map(moduleLink);
  const page = readFileSync(join(UI, "src/index.html"), "utf8").replace("{{modules}}", links.join("\n"));
  const outputs = [
    ...files,
    ...[early, workers, styles].flatMap(({ outputFiles }) =>
      outputFiles.map((file) => [basename(file.path), Buffer.from(file.contents)]),
    ),
    ["index.html", Buffer.from(page)],
    ["icon.svg", readFileSync(join(UI, "src/icon.svg"))],
  ];
  return { outputs: outputs.sort(([a], [b]) => (a < b ? -1 : 1)), meta: modules.metafile };
}

/** Views whose code is fetched with the page that is opened at such a path, not when the page asks for it. */
const AHEAD = { "/traces/": "view-trace.js" };

function moduleLink(name) {
  return `<link rel="modulepreload" href="/assets/{{build}}/${name}">`;
}

/** A worker is a file of its own: src/workers/NAME.ts becomes worker-NAME.js. */
function workerEntries() {
  const folder = join(UI, "src/workers");
  if (!existsSync(folder)) return {};
  return Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.endsWith(".ts"))
      .map((name) => [`worker-${basename(name, ".ts")}`, `src/workers/${name}`]),
  );
}

/**
 * The outputs of a build with splitting, under names that do not change with their contents; and for each of these names
 * the files it cannot run without, itself among them.
 */
function named({ outputFiles, metafile }) {
  const metas = new Map(Object.entries(metafile.outputs).map(([path, meta]) => [basename(path), meta]));
  const names = new Map();
  for (const [name, meta] of metas) {
    if (!name.includes("~")) names.set(name, name);
    else if (meta.entryPoint) names.set(name, `${viewName(meta.entryPoint)}.js`);
  }
  const users = (chunk) =>
    [...metas]
      .filter(([name, meta]) => names.has(name) && meta.imports.some((i) => basename(i.path) === chunk))
      .map(([name]) => basename(names.get(name), ".js"))
      .sort();
  const shared = [...metas.keys()].filter((name) => !names.has(name));
  // what chunks are made of does not depend on hashes: their order by it is stable
  shared.sort((a, b) => (inputs(metas.get(a)) < inputs(metas.get(b)) ? -1 : 1));
  const taken = new Set(names.values());
  for (const chunk of shared) {
    const stem = `shared-${users(chunk).join("-") || "all"}`;
    let name = `${stem}.js`;
    for (let i = 2; taken.has(name); i++) name = `${stem}-${i}.js`;
    taken.add(name);
    names.set(chunk, name);
  }
  const files = outputFiles.map((file) => {
    let text = file.text;
    for (const [from, to] of names) if (from !== to) text = text.replaceAll(from, to);
    return [names.get(basename(file.path)), Buffer.from(text)];
  });
  const imported = new Map(
    [...metas].map(([name, { imports }]) => [
      names.get(name),
      imports.filter((one) => one.kind === "import-statement").map((one) => names.get(basename(one.path))),
    ]),
  );
  const needs = (name, found = new Set()) => {
    if (!found.has(name)) for (const other of imported.get(name)) needs(other, found.add(name));
    return [...found.add(name)].sort();
  };
  return { files, needs };
}

function inputs(meta) {
  return Object.keys(meta.inputs).sort().join("\n");
}

/** src/views/trace/index.tsx is view-trace, src/components/palette.tsx is palette. */
function viewName(entry) {
  const stem = basename(entry).replace(/\.\w+$/, "");
  return stem === "index" ? `view-${basename(dirname(entry))}` : stem;
}

async function write() {
  const { outputs, meta } = await make();
  mkdirSync(TARGET, { recursive: true });
  const kept = new Set(outputs.map(([name]) => name));
  for (const name of readdirSync(TARGET)) if (!kept.has(name)) rmSync(join(TARGET, name));
  for (const [name, bytes] of outputs) {
    const path = join(TARGET, name);
    if (!existsSync(path) || !readFileSync(path).equals(bytes)) writeFileSync(path, bytes);
  }
  if (process.argv.includes("--meta")) writeFileSync(join(UI, "meta.json"), JSON.stringify(meta));
}

async function check() {
  const { outputs } = await make();
  const wrong = outputs.filter(([name, bytes]) => {
    const path = join(TARGET, name);
    return !existsSync(path) || !readFileSync(path).equals(bytes);
  });
  const names = new Set(outputs.map(([name]) => name));
  const left = readdirSync(TARGET).filter((name) => !names.has(name));
  if (wrong.length || left.length) {
    const list = [...wrong.map(([name]) => name), ...left].join(", ");
    console.error(`hub/static/ui is not what hub/ui builds (${list}); run \`make ui\` and commit what it writes.`);
    process.exit(1);
  }
}

if (process.argv.includes("--check")) await check();
else await write();

if (process.argv.includes("--watch")) {
  let timer;
  watch(join(UI, "src"), { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => write().catch(() => {}), 100);
  });
}
