// Calls that fail, by the official clients of JavaScript: Connect with JSON and with protobuf, gRPC-Web and gRPC, over
// HTTP/1.1 and HTTP/2, with one answer and with a stream of them. Prints one JSON object, what each client made of
// each failure; the Rust test judges it.
//
// usage: node failures.mjs BASE_URL DESCRIPTORS   (packages are found through NODE_PATH)
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(import.meta.url);
const { Code, ConnectError } = require("@connectrpc/connect");
const { compressionGzip, createConnectTransport, createGrpcTransport, createGrpcWebTransport } = require("@connectrpc/connect-node");
const { create, createFileRegistry, fromBinary } = require("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");

const [baseUrl, descriptors] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const method = (service, name) =>
  registry.getService(`api.v1.${service}`).methods.find((known) => known.name === name);
const list = method("BooksService", "ListBooks");
const stream = method("BooksService", "StreamBooks");
const secret = { unary: method("LoansService", "ListLoans"), stream: method("LoansService", "StreamLoans") };

// Compression that no server has.
const snappy = { name: "snappy", compress: async (bytes) => bytes, decompress: async (bytes) => bytes };

const calls = {
  unary: (transport, called, headers, message) =>
    transport.unary(called, undefined, 30_000, headers, create(called.input, message)),
  stream: async (transport, called, headers, message) => {
    async function* one() {
      yield create(called.input, message);
    }
    const answer = await transport.stream(called, undefined, 30_000, headers, one());
    let count = 0;
    for await (const _ of answer.message) count++;
    return count;
  },
};

async function outcome(call) {
  try {
    await call();
    return "OK";
  } catch (error) {
    const { code, rawMessage, details } = ConnectError.from(error);
    const reasons = details.filter((detail) => detail.type === "google.rpc.ErrorInfo").map((detail) => detail.debug?.reason ?? "ErrorInfo");
    return [Code[code], ...reasons, rawMessage].join("|");
  }
}

const as = (called, methodKind) => ({ ...called, parent: called.parent, input: called.input, output: called.output, methodKind });
const renamed = (called, name) => ({ ...as(called, called.methodKind), name });
const elsewhere = (called, typeName) => ({ ...as(called, called.methodKind), parent: { ...called.parent, typeName } });

async function failures(makeTransport, kind) {
  const transport = makeTransport({});
  const call = calls[kind];
  const plain = kind === "unary" ? list : stream;
  const other = kind === "unary" ? as(stream, "unary") : as(list, "server_streaming");
  return {
    fine: await outcome(() => call(transport, plain, {}, {})),
    tooLarge: await outcome(() => call(transport, plain, {}, { filter: "x".repeat(6 << 20) })),
    muchTooLarge: await outcome(() => call(transport, plain, {}, { filter: "x".repeat(12 << 20) })),
    timeout: await outcome(() => call(makeTransport({ badTimeout: true }), plain, {}, {})),
    compression: await outcome(() =>
      call(makeTransport({ sendCompression: snappy, compressMinBytes: 0 }), plain, {}, { filter: "title=eq.Emma" }),
    ),
    gzip: await outcome(() =>
      call(makeTransport({ sendCompression: compressionGzip, compressMinBytes: 0 }), plain, {}, { filter: "title=eq.Emma" }),
    ),
    method: await outcome(() => call(transport, renamed(plain, "Burn"), {}, { filter: "x".repeat(1 << 20) })),
    service: await outcome(() => call(transport, elsewhere(plain, "api.v1.ScrollsService"), {}, {})),
    kind: await outcome(() => call(transport, other, {}, {})),
    unauthenticated: await outcome(() => call(transport, secret[kind], {}, {})),
    token: await outcome(() => call(transport, secret[kind], { authorization: "Bearer x.y.z" }, { filter: "x".repeat(1 << 20) })),
    argument: await outcome(() => call(transport, plain, {}, { filter: "title" })),
  };
}

// Sets the time-out of the call's own protocol after the client has.
const badTimeout = (next) => (request) => {
  for (const name of ["connect-timeout-ms", "grpc-timeout"]) {
    if (request.header.has(name)) request.header.set(name, "soon");
  }
  return next(request);
};

const seen = {};
for (const httpVersion of ["1.1", "2"]) {
  const options = ({ badTimeout: bad, ...more }) => ({ baseUrl, httpVersion, interceptors: bad ? [badTimeout] : [], ...more });
  const transports = {
    connectJson: (more) => createConnectTransport({ ...options(more), useBinaryFormat: false }),
    connectProto: (more) => createConnectTransport({ ...options(more), useBinaryFormat: true }),
    grpcWeb: (more) => createGrpcWebTransport(options(more)),
    ...(httpVersion === "2" && { grpc: (more) => createGrpcTransport(options(more)) }),
  };
  for (const [name, makeTransport] of Object.entries(transports)) {
    for (const kind of ["unary", "stream"]) {
      seen[`${name} ${httpVersion} ${kind}`] = await failures(makeTransport, kind);
    }
  }
}
process.stdout.write(JSON.stringify(seen));
process.exit(0);
