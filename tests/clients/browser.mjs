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

async function opened(page, method, path) {
  const block = page.locator(`.opblock-${method}`).filter({ has: page.locator(`[data-path="${path}"]`) });
  await block.locator(".opblock-summary-control").click();
  await block.locator(".opblock-body").waitFor();
  return block;
}

// Executes an operation: `filters` are values of parameters, `body` is what to send, `answer` what to say when asked.
async function execute(page, method, path, { filters = {}, body, answer } = {}) {
  const block = await opened(page, method, path);
  const isArmed = (await block.locator("button.execute").count()) > 0;
  if (!isArmed) await block.locator("button.try-out__btn").click();
  for (const [name, value] of Object.entries(filters)) {
    await block.locator(`tr[data-param-name="${name}"][data-param-in="query"] input`).fill(value);
  }
  if (body) await block.locator("textarea.body-param__text").fill(body);
  let asked = null;
  if (answer) {
    page.once("dialog", async (dialog) => {
      asked = dialog.message();
      await dialog[answer]();
    });
  }
  await block.locator("button.execute").click();
  if (answer === "dismiss") return { isArmed, asked, executed: await block.locator(".live-responses-table").count() };
  const live = block.locator(".live-responses-table");
  await live.locator(".response-col_status").last().waitFor();
  return {
    isArmed,
    asked,
    status: (await live.locator("tbody .response-col_status").first().innerText()).trim(),
    body: await live.locator(".highlight-code, .microlight").first().innerText().catch(() => ""),
  };
}

async function authorize(page, value) {
  await page.locator(".auth-wrapper button.authorize").first().click();
  const logout = page.locator(".auth-container button", { hasText: "Logout" });
  if (await logout.count()) await logout.click();
  await page.locator(".auth-container input").fill(value);
  await page.locator(".auth-container button.authorize").click();
  await page.locator(".auth-container button.btn-done").click();
}

const paths = async (page) => [...new Set(await page.locator(".opblock-summary-path").evaluateAll((all) => all.map((one) => one.dataset.path)))];

async function swaggerUi() {
  const context = await browser.newContext();
  const page = await context.newPage();
  const failed = [];
  page.on("requestfailed", (request) => failed.push(request.url()));
  page.on("pageerror", (error) => failed.push(error.message));
  page.on("request", (request) => request.url().startsWith(base) || request.url().startsWith("data:") || failed.push(request.url()));
  await page.goto(`${base}/docs`);
  await page.locator(".opblock").first().waitFor();
  const anonymous = await paths(page);
  const title = await page.locator(".info .title").innerText();
  const bar = [await page.title(), await page.locator("#title").innerText()];

  await authorize(page, token);
  await page.locator('[data-path="/loans"]').first().waitFor();
  const read = await execute(page, "get", "/loans", { filters: { id: "gte.1" } });
  const filter = page.locator('tr[data-param-name="id"]').first();
  const field = { example: await filter.locator("input").getAttribute("placeholder"), operators: await filter.locator(".operators").innerText() };
  const created = await execute(page, "post", "/loans", { body: JSON.stringify({ book_id: 1 }) });
  const updated = await execute(page, "patch", "/loans", { filters: { book_id: "eq.1", returned_on: "is.null" }, body: JSON.stringify({ due_on: "2030-01-01" }) });
  const kept = await execute(page, "delete", "/loans", { answer: "dismiss" });
  const called = await execute(page, "get", "/rpc/search_books", { filters: { query: "moon" } });
  const counted = await execute(page, "head", "/loans", { filters: { id: "gte.1" } });
  const put = await execute(page, "put", "/loans", { filters: { id: "eq.4711" }, body: JSON.stringify({ id: 4711, book_id: 1, due_on: "2030-01-01", returned_on: "2030-01-01" }) });

  // With the token that the browser has kept, the document is that of its role from the first.
  await page.reload();
  await page.locator('[data-path="/loans"]').first().waitFor();
  const reloaded = await paths(page);
  const deleted = await execute(page, "delete", "/loans", { filters: { book_id: "eq.1", due_on: "eq.2030-01-01" } });

  await authorize(page, "eyJhbGciOiJIUzI1NiJ9.e30.AAAA");
  await page.locator("#problem:not([hidden])").waitFor();
  const refused = { problem: await page.locator("#problem").innerText(), paths: await paths(page), authorize: await page.locator(".auth-wrapper button.authorize").count() };
  await page.reload();
  await page.locator("#problem:not([hidden])").waitFor();
  refused.reloaded = await page.locator(".auth-wrapper button.authorize").count();

  await page.locator("#tab-grpc").click();
  await page.locator("#grpc .command").first().waitFor();
  const grpc = { commands: await page.locator("#grpc .command code").allInnerTexts(), link: await page.locator("#grpc a").getAttribute("href") };
  await context.close();
  return { title, bar, anonymous, read, field, created, updated, kept, called, counted, put, reloaded, deleted, refused, grpc, failed, phone: await phone() };
}

// A phone: nothing is wider than the screen, neither closed nor open.
async function phone() {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  await page.goto(`${base}/docs/`);
  await page.locator(".opblock").first().waitFor();
  await opened(page, "get", "/books");
  const width = () => page.evaluate(() => document.documentElement.scrollWidth);
  const widths = [await width()];
  widths.push(await page.locator(".opblock.is-open input").first().evaluate((input) => Math.round(input.getBoundingClientRect().right)));
  await page.locator("#tab-grpc").click();
  await page.locator("#grpc .command").first().waitFor();
  widths.push(await width());
  const isDark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor !== "rgb(255, 255, 255)");
  await page.close();
  return { widths, isDark };
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
