// What a person does in a browser: opens Swagger UI, authorizes, executes a GET and a POST; then a page of another
// origin makes a gRPC-Web call. Prints one JSON object with what the pages showed; the Rust test judges it.
//
// usage: node browser.mjs BASE_URL TOKEN   (playwright-core is found through NODE_PATH; CHROMIUM names the browser)
import { createRequire } from "node:module";
import http from "node:http";

const { chromium } = createRequire(import.meta.url)("playwright-core");
const [base, token] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

async function execute(page, method, path, body) {
  const block = page.locator(`.opblock-${method}`).filter({ has: page.locator(`[data-path="${path}"]`) });
  await block.locator(".opblock-summary-control").click();
  if (body) await block.locator("textarea.body-param__text").fill(body);
  await block.locator("button.execute").click();
  const live = block.locator(".live-responses-table");
  await live.locator(".response-col_status").last().waitFor();
  return {
    status: (await live.locator("tbody .response-col_status").first().innerText()).trim(),
    body: await live.locator(".highlight-code, .microlight").first().innerText().catch(() => ""),
  };
}

async function swaggerUi() {
  const page = await browser.newPage();
  const failed = [];
  page.on("requestfailed", (request) => failed.push(request.url()));
  page.on("request", (request) => request.url().startsWith(base) || request.url().startsWith("data:") || failed.push(request.url()));
  await page.goto(`${base}/docs/`);
  await page.locator(".opblock").first().waitFor();
  const title = await page.locator(".info .title").innerText();

  await page.locator(".auth-wrapper button.authorize").first().click();
  await page.locator(".auth-container input").fill(token);
  await page.locator(".auth-container button.authorize").click();
  await page.locator(".auth-container button.btn-done").click();

  const read = await execute(page, "get", "/loans");
  const created = await execute(page, "post", "/loans", JSON.stringify({ book_id: 1 }));
  return { title, read, created, failed };
}

// A ListBooks call with page_size 2, framed as gRPC-Web has it: a flag byte, a length, the message.
function callGrpcWeb([url, authorization]) {
  const message = [0x08, 2];
  const frame = new Uint8Array([0, 0, 0, 0, message.length, ...message]);
  const headers = { "content-type": "application/grpc-web+proto", "x-grpc-web": "1", authorization };
  return fetch(`${url}/api.v1.BooksService/ListBooks`, { method: "POST", headers, body: frame }).then(async (answer) => {
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const frames = [];
    for (let at = 0; at < bytes.length; ) {
      const length = new DataView(bytes.buffer, at + 1, 4).getUint32(0);
      frames.push({ flag: bytes[at], bytes: Array.from(bytes.slice(at + 5, at + 5 + length)) });
      at += 5 + length;
    }
    return {
      status: answer.status,
      message: new TextDecoder().decode(new Uint8Array(frames.find((frame) => frame.flag === 0)?.bytes ?? [])),
      trailers: new TextDecoder().decode(new Uint8Array(frames.find((frame) => frame.flag & 0x80)?.bytes ?? [])),
    };
  });
}

async function grpcWeb() {
  const server = http.createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<p>another origin"));
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const result = await page.evaluate(callGrpcWeb, [base, `Bearer ${token}`]);
  server.close();
  return result;
}

try {
  process.stdout.write(JSON.stringify({ swaggerUi: await swaggerUi(), grpcWeb: await grpcWeb() }));
} finally {
  await browser.close();
}
