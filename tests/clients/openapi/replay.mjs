// Compares recorded exchanges with the documents that describe them, and prints what differs: `{described, faults}`. The
// argument is a file: `{documents, exchanges: [{name, document, method, target, headers, body, status, answer}]}`.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(import.meta.url);
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats");

const { documents, exchanges } = JSON.parse(readFileSync(process.argv[2], "utf8"));

// Headers of HTTP itself, of CORS and of operation: an API description does not list them.
const UNDESCRIBED = new Set(
  ("connection content-length content-type date server server-timing transfer-encoding vary cache-control " +
    "content-encoding x-request-id").split(" "),
);

// What answers differ in, and why the document cannot say it. Each has to be seen, or it goes.
const EXCEPTIONS = [
  [/ header x-(prepared|pot|why|set): /, "functions choose headers, which no catalog tells"],
  [/POST \/rpc\/(teapot|status) /, "functions choose statuses, which no catalog tells"],
  [/select=.*(::|->|:).* body under 200 .*: \/\d+\/\w+ must be /, "select gives another value the name of a column"],
  [/\/(awards|places|films)\?select=.*(presenter|within|director_id)\(.* body under 200 /, "select embeds by the name of a column"],
  [/\.\.\.rooms\(at\).* body under 200 /, "select spreads rows into a column"],
  [/header content-profile: api /, "the request has a header for several schemas, and there is one"],
  [/GET \/rpc\/volatile_setting.* of an operation that is not described/, "GET calls what could write, and only reads there"],
  [/DELETE .* a body is not described/, "the body means nothing"],
  [/parameter Prefer=.*(whatever|max-affected=3, timezone)/, "preferences that mean nothing are ignored (RFC 7240)"],
  [/parameter (limit|offset)=[xy]:/, "limits that are no numbers are ignored"],
];

class Described {
  constructor(document) {
    this.document = document;
    // Forms are all texts.
    [this.json, this.form] = [false, true].map((coerceTypes) => {
      const ajv = new Ajv({ strict: false, logger: false, allErrors: true, coerceTypes });
      addFormats(ajv);
      return ajv.addSchema(document, "document");
    });
    this.paths = new Map(Object.keys(document.paths).map((path) => [this.expanded(path), path]));
  }

  at(pointer) {
    return pointer.reduce((found, key) => found?.[key], this.document);
  }

  // Follows a reference: where it leads, and what is there.
  resolved(pointer) {
    const found = this.at(pointer);
    if (!found?.$ref) return [pointer, found];
    return this.resolved(found.$ref.slice(2).split("/").map((key) => decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~")));
  }

  errors(pointer, value, ajv = this.json) {
    const escaped = pointer.map((key) => encodeURIComponent(String(key).replaceAll("~", "~0").replaceAll("/", "~1")));
    const $ref = `document#/${escaped.join("/")}`;
    const validate = ajv.getSchema($ref) ?? ajv.compile({ $ref });
    return validate(value) ? [] : validate.errors.map((error) => `${error.instancePath} ${error.message}`);
  }

  // A path whose parameters have one value each.
  expanded(path) {
    const [, item] = this.resolved(["paths", path]);
    return (item.parameters ?? []).reduce(
      (path, parameter) => path.replace(`{${parameter.name}}`, () => parameter.schema.enum[0]),
      path,
    );
  }

  parameters(pointer) {
    const own = (pointer) => (this.at([...pointer, "parameters"]) ?? []).map((_, at) => this.resolved([...pointer, "parameters", at]));
    return [...own(pointer.slice(0, -1)), ...own(pointer)].filter(([, parameter]) => parameter.in !== "path");
  }
}

// The key of the content that a media type is described by: itself, or a range that it is in.
const described = (content, type) => {
  const bare = (type) => type.replace(/;\s*charset=[^;]*/i, "").replace(/\s/g, "").toLowerCase();
  const essence = (type) => bare(type).split(";")[0];
  const keys = Object.keys(content);
  return (
    keys.find((key) => bare(key) === bare(type)) ??
    keys.find((key) => essence(key) === essence(type)) ??
    keys.find((key) => key === `${essence(type).split("/")[0]}/*`) ??
    keys.find((key) => key === "*/*")
  );
};
const isJson = (type) => /[/+]json\b/.test(type);
const decoded = (text) => {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
};

// A value in a query string or a header, as what it is described as.
const read = (schema, text) => (["integer", "number"].includes(schema?.type) && text !== "" ? Number(text) : text);

function answered(api, operation, exchange, fault) {
  const { status, answer } = exchange;
  const responses = api.at([...operation, "responses"]);
  const key = [String(status), `${String(status)[0]}XX`, "default"].find((key) => key in responses);
  // `default` describes errors, and what could be meant in several ways.
  if (!key || (key === "default" && status < 300)) return fault(`status ${status} is not described`);
  const [pointer, response] = api.resolved([...operation, "responses", key]);
  const told = Object.fromEntries(answer.headers);
  const known = Object.keys(response.headers ?? {}).map((name) => name.toLowerCase());
  for (const name of Object.keys(told)) {
    if (!known.includes(name) && !UNDESCRIBED.has(name) && !name.startsWith("access-control-")) {
      fault(`header ${name}: ${told[name]} is not described under ${key}`);
    }
  }
  for (const name of Object.keys(response.headers ?? {})) {
    const [pointed, header] = api.resolved([...pointer, "headers", name]);
    const value = told[name.toLowerCase()];
    if (value === undefined) {
      if (header.required) fault(`header ${name} is missing under ${status}`);
      continue;
    }
    for (const error of api.errors([...pointed, "schema"], read(header.schema, value))) fault(`header ${name}: ${value}: ${error}`);
  }
  if (exchange.method === "HEAD" || status === 304 || answer.body === "") {
    if (answer.body === "" && response.content && status === 200 && isJson(told["content-type"] ?? "") && exchange.method !== "HEAD" && !/return=/.test(told["preference-applied"] ?? "")) {
      fault(`no body under ${key}, with ${told["content-type"]}`);
    }
    return;
  }
  if (!response.content) return fault(`a body is not described under ${key}: ${answer.body}`);
  const type = told["content-type"] ?? "";
  const media = described(response.content, type);
  if (!media) return fault(`media type ${type} is not described under ${key}`);
  if (!response.content[media].schema) return;
  let body = answer.body;
  if (isJson(type)) body = JSON.parse(body);
  for (const error of api.errors([...pointer, "content", media, "schema"], body)) fault(`body under ${key} ${media}: ${error}\n        ${answer.body}`);
}

function asked(api, operation, exchange, fault) {
  const [, search = ""] = exchange.target.split(/\?(.*)/s);
  const given = search.split("&").filter(Boolean).map((pair) => pair.split(/=(.*)/s).map((part) => decoded(part ?? "")));
  const headers = Object.entries(exchange.headers).map(([name, value]) => [name.toLowerCase(), value]);
  for (const [pointer, parameter] of api.parameters(operation)) {
    const values = parameter.in === "query" ? given.filter(([name]) => name === parameter.name) : headers.filter(([name]) => name === parameter.name.toLowerCase());
    if (parameter.required && values.length === 0) fault(`parameter ${parameter.name} is not given`);
    const wanted = [].concat(parameter.schema.type).includes("array") ? [values.map(([, value]) => value)] : values.map(([, value]) => value);
    for (const value of wanted) {
      for (const error of api.errors([...pointer, "schema"], read(parameter.schema, value))) fault(`parameter ${parameter.name}=${value}: ${error}`);
    }
  }
  const [pointer, body] = api.resolved([...operation, "requestBody"]);
  if (exchange.body === null || exchange.body === undefined) return void (body?.required && fault("the body is not given"));
  if (!body) return fault("a body is not described");
  const type = headers.find(([name]) => name === "content-type")?.[1] ?? "application/json";
  const media = described(body.content, type);
  if (!media) return fault(`body's media type ${type} is not described`);
  const isForm = /x-www-form-urlencoded/.test(type);
  let value = exchange.body;
  if (isJson(type)) value = JSON.parse(value);
  if (isForm) value = Object.fromEntries(new URLSearchParams(value));
  for (const error of api.errors([...pointer, "content", media, "schema"], value, isForm ? api.form : api.json)) fault(`body to send: ${error}\n        ${exchange.body}`);
}

const apis = documents.map((document) => new Described(document));
const faults = [];
const seen = new Set();
let count = 0;
for (const exchange of exchanges) {
  const api = apis[exchange.document];
  const fault = (text) => {
    const exception = EXCEPTIONS.find(([pattern]) => pattern.test(`${exchange.name} ${text}`));
    if (exception) seen.add(exception);
    else faults.push(`${exchange.name}\n    ${text}`);
  };
  const path = api.paths.get(decoded(exchange.target.split("?")[0].replaceAll("+", "%2B")));
  const operation = path && ["paths", path, exchange.method.toLowerCase()];
  if (!operation || !api.at(operation)) {
    if (exchange.status < 400 && exchange.method !== "OPTIONS") fault(`${exchange.status} of an operation that is not described`);
    continue;
  }
  count += 1;
  answered(api, operation, exchange, fault);
  if (exchange.status < 300) asked(api, operation, exchange, fault);
}
faults.push(...EXCEPTIONS.filter((exception) => !seen.has(exception)).map(([pattern]) => `exception ${pattern} is none`));
console.log(JSON.stringify({ described: count, faults }));
