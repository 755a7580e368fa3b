// What a person does in a browser: opens Swagger UI, authorizes, executes a GET and a POST; then a page of another
// origin runs the official gRPC-Web and Connect clients. Prints one JSON object with what the pages showed; the Rust
// test judges it.
//
// usage: node browser.mjs BASE_URL TOKEN BUNDLE   (playwright-core is found through NODE_PATH; CHROMIUM names the browser)
import { createRequire } from "node:module";
import http from "node:http";

const { chromium } = createRequire(import.meta.url)("playwright-core");
const [base, token, bundle] = process.argv.slice(2);

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

// What tests/clients/web/main.ts does, in a page of another origin.
async function clients() {
  const server = http.createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<p>another origin"));
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const page = await browser.newPage();
  const methods = [];
  page.on("request", (request) => request.url().startsWith(base) && methods.push(request.method()));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.addScriptTag({ path: bundle });
  const drive = (arguments_) => page.evaluate((given) => globalThis.drive(...given), arguments_);
  const grpcWeb = await drive(["grpcWeb", base, token, 4]);
  const posts = methods.splice(0);
  const connect = await drive(["connect", base, token, 5]);
  server.close();
  return { grpcWeb: { ...grpcWeb, methods: posts }, connect: { ...connect, methods } };
}

try {
  process.stdout.write(JSON.stringify({ swaggerUi: await swaggerUi(), ...(await clients()) }));
} finally {
  await browser.close();
}
