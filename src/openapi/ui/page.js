// The page: Swagger UI with the document that the token's role gets, and gRPC's services in a second tab.
"use strict";

const element = (id) => document.getElementById(id);
const READS = ["get", "head"];
// Keys of a query string that choose no rows.
const NO_FILTERS = ["select", "columns", "order", "limit", "offset", "on_conflict"];

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

// Swagger UI keeps it here, and has not read it yet when the page begins.
function storedToken() {
  try {
    return JSON.parse(localStorage.getItem("authorized"))?.JWT?.value;
  } catch {
    return undefined;
  }
}
const token = () => (window.ui?.authSelectors.authorized() ?? undefined)?.getIn?.(["JWT", "value"]) ?? storedToken();
// Swagger 2.0 has people type the whole header, OpenAPI 3.1 the token alone.
const bearer = () => token()?.replace(/^(Bearer )?/, "Bearer ");

async function fetched(headers) {
  const answer = await fetch("../", { headers: { Accept: "application/openapi+json", ...headers } });
  const body = await answer.json().catch(() => ({}));
  return answer.ok ? { document: body } : { problem: body.message ?? `The server answered ${answer.status}` };
}

// Without a document there is still a place to authorize.
const nothing = () => ({
  openapi: "3.1.0",
  info: { title: location.host, version: "" },
  paths: {},
  components: { securitySchemes: { JWT: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
  security: [{ JWT: [] }],
});

let latest = 0;
async function load() {
  const mine = ++latest;
  const given = bearer();
  let { document: found, problem } = await fetched(given ? { Authorization: given } : {});
  if (!found && given) {
    ({ document: found } = await fetched({}));
    problem = `The token is refused: ${problem}. This is what there is without one; authorize again.`;
  } else if (!found) {
    problem = `There is no document without a token: ${problem}. Authorize to see what there is.`;
  }
  // A later token has been asked with.
  if (mine !== latest) return;
  const shown = found ?? nothing();
  element("problem").textContent = problem ?? "";
  element("problem").hidden = !problem;
  element("title").textContent = document.title = shown.info.title;
  window.ui.specActions.updateLoadingStatus("success");
  window.ui.specActions.updateSpec(JSON.stringify(shown));
}

const again = (original) => (payload) => {
  const done = original(payload);
  load();
  return done;
};

// Whether a write names the rows that it is about.
function isFiltered(system, path, method) {
  const given = system.specSelectors.parameterValues([path, method]);
  return given.some((value, key) => {
    const [place, name] = key.split(/\.(.*)/s);
    return place === "query" && !NO_FILTERS.includes(name) && value !== undefined && value !== null && value !== "";
  });
}

function asksFirst(system, { path, method }) {
  if (!["patch", "delete"].includes(method) || isFiltered(system, path, method)) return true;
  const what = method === "delete" ? "delete" : "update";
  return confirm(`There is no filter: this will ${what} every row of ${path} that you may ${what}. Go on?`);
}

const page = (system) => {
  const h = system.React.createElement;
  return {
    statePlugins: {
      auth: { wrapActions: { authorizeWithPersistOption: again, logoutWithPersistOption: again } },
    },
    wrapComponents: {
      // What only reads can be tried at once; what writes needs a click.
      OperationContainer: (Original) => {
        class Armed extends system.React.Component {
          getConfigs = () => ({ ...system.getConfigs(), tryItOutEnabled: READS.includes(this.props.method) });
          render() {
            return h(Original, { ...this.props, getConfigs: this.getConfigs });
          }
        }
        Armed.prototype.mapStateToProps = Original.prototype.mapStateToProps;
        return Armed;
      },
      execute: (Original) => (props) => {
        let isRefused = false;
        const specActions = {
          ...props.specActions,
          execute: (what) => {
            isRefused = !asksFirst(system, { path: props.path, method: props.method });
            return isRefused ? undefined : props.specActions.execute(what);
          },
        };
        return h(Original, { ...props, specActions, onExecute: () => isRefused || props.onExecute?.() });
      },
      // A field to filter by shows an example, and the operators that its type has.
      JsonSchemaForm: (Original) => (props) => {
        const schema = props.schema?.toJS?.() ?? props.schema ?? {};
        const [, operators] = /Operators: (.*?)\.(\n|$)/.exec(schema.description ?? "") ?? [];
        const example = schema.examples?.[0];
        const description = example === undefined ? props.description : String(example);
        const field = h(Original, { ...props, description });
        return operators ? h("div", null, field, h("small", { className: "operators" }, operators.replaceAll("`", ""))) : field;
      },
    },
  };
};

function select(tab) {
  for (const name of ["rest", "grpc"]) {
    element(name).hidden = name !== tab;
    element(`tab-${name}`).setAttribute("aria-selected", String(name === tab));
  }
}

function part(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

// A comment, with its names in backticks as code.
function prose(text) {
  const parts = text.split("`").map((piece, at) => (at % 2 ? part("code", piece) : piece));
  return part("p", "", ...parts);
}

function command(line) {
  const copy = part("button", "Copy");
  copy.onclick = async () => {
    await navigator.clipboard.writeText(line);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  };
  const made = part("div", "", part("code", line), copy);
  made.className = "command";
  return made;
}

async function listServices() {
  const answer = await fetch("grpc.json");
  if (!answer.ok) return;
  const services = await answer.json();
  const plain = location.protocol === "https:" ? "" : " -plaintext";
  const host = location.port ? location.host : `${location.host}:${plain ? 80 : 443}`;
  const link = part("a", "Download the .proto files");
  link.href = "proto.zip";
  const intro = part("p", "The same port serves gRPC, gRPC-Web and Connect, with the same rights. ", link);
  element("grpc").replaceChildren(intro);
  for (const service of services) {
    element("grpc").append(part("h2", service.name));
    if (service.comment) element("grpc").append(prose(service.comment));
    for (const method of service.methods) {
      const gives = `${method.streams ? "stream " : ""}${method.gives}`;
      const title = part("h3", method.name, part("span", ` (${method.takes}) returns (${gives})`));
      element("grpc").append(title);
      if (method.comment) element("grpc").append(prose(method.comment));
      // A quote in a text would end it in a shell.
      const body = JSON.stringify(method.request).replaceAll("'", "'\\''");
      element("grpc").append(command(`grpcurl${plain} -d '${body}' ${host} ${service.name}/${method.name}`));
    }
  }
  element("tab-grpc").hidden = false;
  if (location.hash === "#grpc") select("grpc");
}

window.onload = () => {
  element("tab-rest").onclick = () => select("rest");
  element("tab-grpc").onclick = () => select("grpc");
  window.ui = SwaggerUIBundle({
    spec: nothing(),
    dom_id: "#rest",
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [page],
    layout: "BaseLayout",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    persistAuthorization: true,
    syntaxHighlight: { activated: true },
  });
  load();
  listServices();
};
