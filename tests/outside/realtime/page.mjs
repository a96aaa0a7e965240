// A page of another origin in a headless Chromium: it connects with the client of Phoenix, sends a transaction, and shows how that goes
// from accepted to recorded. Leaves a picture of it.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import puppeteer from "puppeteer-core";
import { held, person, url } from "./kit.mjs";

const [ada, bob] = [await person("ada-page"), await person("bob-page")];
const settings = { api: url, token: ada.token, user: ada.id, from: ada.account, to: bob.account };
const files = {
  "/": ["text/html", readFileSync("page.html")],
  "/phoenix.mjs": ["text/javascript", readFileSync("node_modules/phoenix/priv/static/phoenix.mjs")],
  "/settings": ["application/json", JSON.stringify(settings)],
};
const server = createServer((request, response) => {
  const [type, body] = files[request.url] ?? ["text/plain", ""];
  response.writeHead(files[request.url] ? 200 : 404, { "content-type": type }).end(body);
});
const { port, hostname } = new URL(process.env.PAGE);
await new Promise((done) => server.listen(Number(port), hostname, done));

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
  defaultViewport: { width: 1000, height: 420 },
});
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(`the page: ${error.message}`));
  page.on("console", (message) => console.log(`the page: ${message.text()}`));
  await page.goto(process.env.PAGE);
  await page.waitForFunction(() => document.title === "recorded", { timeout: 60_000 }).catch(async (error) => {
    await page.screenshot({ path: process.env.SCREENSHOT });
    throw error;
  });
  const cells = await page.$$eval("#rows tr", (rows) => rows.map((row) => [...row.cells].slice(1).map((cell) => cell.textContent)));
  held("the page shows the transaction from accepted to recorded", cells, [["12.50 GBP", "recorded", "accepted → recorded"]]);
  const connection = await page.$eval("#connection", (element) => element.textContent);
  held("by a subprotocol of its own", connection.endsWith("subprotocol phoenix"), true);
  await page.screenshot({ path: process.env.SCREENSHOT });
} finally {
  await browser.close();
  server.close();
}
