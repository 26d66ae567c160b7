// openapi.json as TypeScript: one interface a schema, one entry an operation. `--check` fails when the file is out of date.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const DOCUMENT = fileURLToPath(new URL("../../../openapi.json", import.meta.url));
const TARGET = fileURLToPath(new URL("../src/api/schema.ts", import.meta.url));

const document = JSON.parse(readFileSync(DOCUMENT, "utf8"));

/** A JSON schema as a TypeScript type. */
function type(schema) {
  if (!schema || Object.keys(schema).length === 0) return "unknown";
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.anyOf ?? schema.oneOf) return (schema.anyOf ?? schema.oneOf).map(type).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  switch (schema.type) {
    case "string":
      return "string";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "null":
      return "null";
    case "array":
      if (schema.prefixItems) return `[${schema.prefixItems.map(type).join(", ")}]`;
      return `Array<${type(schema.items)}>`;
    case "object":
      if (schema.properties) return body(schema, "  ");
      return `Record<string, ${schema.additionalProperties ? type(schema.additionalProperties) : "unknown"}>`;
    default:
      return "unknown";
  }
}

/** An object schema as the body of an interface. */
function body(schema, indent = "") {
  const required = new Set(schema.required ?? []);
  const lines = Object.entries(schema.properties ?? {}).map(
    ([name, property]) => `${indent}  ${key(name)}${required.has(name) ? "" : "?"}: ${type(property)};`,
  );
  return `{\n${lines.join("\n")}\n${indent}}`;
}

function key(name) {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

function parameters(operation, place) {
  const found = (operation.parameters ?? []).filter((parameter) => parameter.in === place);
  if (found.length === 0) return "Record<never, never>";
  return `{ ${found.map((p) => `${key(p.name)}${p.required ? "" : "?"}: ${type(p.schema)}`).join("; ")} }`;
}

function answer(operation) {
  const status = Object.keys(operation.responses).find((code) => code.startsWith("2"));
  const schema = operation.responses[status]?.content?.["application/json"]?.schema;
  return schema ? type(schema) : "unknown";
}

function comment(text) {
  return text ? `/** ${text.replaceAll("*/", "* /").replace(/\s+/g, " ").trim()} */\n` : "";
}

const parts = [`// Made from openapi.json by \`make ui\`; not to be edited.\n`];
for (const [name, schema] of Object.entries(document.components.schemas)) {
  parts.push(
    schema.type === "object" && schema.properties
      ? `${comment(schema.description)}export interface ${name} ${body(schema)}\n`
      : `${comment(schema.description)}export type ${name} = ${type(schema)};\n`,
  );
}
const rows = [];
for (const [path, methods] of Object.entries(document.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const request = operation.requestBody?.content?.["application/json"]?.schema;
    rows.push(
      `  ${comment(operation.summary).trim()}\n  "${method.toUpperCase()} ${path}": {\n` +
        `    path: ${parameters(operation, "path")};\n    query: ${parameters(operation, "query")};\n` +
        `    body: ${request ? type(request) : "never"};\n    answer: ${answer(operation)};\n  };`,
    );
  }
}
parts.push(`/** Every operation by its method and path. */\nexport interface Operations {\n${rows.join("\n")}\n}\n`);

const text = parts.join("\n");
if (process.argv.includes("--check")) {
  if (readFileSync(TARGET, "utf8") !== text) {
    console.error("src/api/schema.ts is not that of openapi.json; run `make ui`.");
    process.exit(1);
  }
} else {
  writeFileSync(TARGET, text);
}
