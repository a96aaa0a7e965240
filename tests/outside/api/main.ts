// The main flow through a client that is typed by the API's document (openapi-typescript, openapi-fetch): it compiles under `strict`,
// and it drives a running service. Usage: node main.js <url of the API> <administrator's key>
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Problem = components["schemas"]["Problem"];

const [url, key] = process.argv.slice(2);
if (!url || !key) throw new Error("usage: main.js <url> <key>");
const client = createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${key}` } });
const run = Date.now().toString(36);

/** The answer's content; a problem ends the program. */
function ok<T>(answer: { data?: T; error?: Problem | unknown; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.status}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

function equal(what: string, got: unknown, wanted: unknown): void {
  if (got !== wanted) throw new Error(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
}

async function user(name: string) {
  const body = { email: `${name}-${run}@example.org`, name };
  const created = ok(await client.POST("/api/v1/users", { body }));
  const wallet = created.wallets[0];
  if (!wallet) throw new Error("a user has a wallet");
  return { id: created.id, account: wallet.account_id };
}

/** Repeats a request that is refused with this code for a moment. */
async function patiently<A extends { error?: unknown }>(code: string, ask: () => Promise<A>): Promise<A> {
  for (let tries = 0; ; tries++) {
    const answer = await ask();
    const error = answer.error as Problem | undefined;
    if (error?.code !== code || tries > 200) return answer;
    await new Promise((done) => setTimeout(done, 50));
  }
}

const gbp = (amount: string) => ({ amount, currency: "GBP" });
const wait = { header: { Prefer: "wait=20" } };

const [ada, bob] = [await user("ada"), await user("bob")];
const deposit = { type: "deposit" as const, to: ada.account, amount: gbp("100.00"), reference: `opening-${run}` };
const paidIn = ok(
  await patiently("account_not_open", () => client.POST("/api/v1/transactions", { params: wait, body: deposit })),
);
equal("the deposit", paidIn.status, "recorded");

const transfer = { type: "transfer" as const, from: ada.account, to: bob.account, amount: gbp("12.50") };
const params = { header: { Prefer: "wait=20", "Idempotency-Key": `order-${run}` } };
const moved = ok(
  await patiently("account_not_open", () => client.POST("/api/v1/transactions", { params, body: transfer })),
);
equal("the transfer", moved.status, "recorded");
const again = await client.POST("/api/v1/transactions", { params, body: transfer });
equal("its repetition", ok(again).id, moved.id);
equal("its header", again.response.headers.get("idempotency-replayed"), "true");

const one = { params: { path: { id: moved.id } } };
equal("the transaction", ok(await client.GET("/api/v1/transactions/{id}", one)).status, "recorded");
const entries = ok(await client.GET("/api/v1/accounts/{id}/entries", { params: { path: { id: bob.account } } }));
equal("the entries", entries.items.length, 1);
const account = ok(await client.GET("/api/v1/accounts/{id}", { params: { path: { id: bob.account } } }));
equal("the balance", account.balance.amount, "12.50");
const receipt = ok(
  await patiently("not_signed_yet", () => client.GET("/api/v1/ledger/receipts/{id}", { ...one, parseAs: "text" })),
);
equal("the receipt", receipt.startsWith("c2sp.org/tlog-proof"), true);

const product = ok(
  await client.POST("/api/v1/products", { body: { sku: `cup-${run}`, name: "A cup", price: gbp("4.50") } }),
);
const whose = { from: ada.account, to: bob.account, amount: gbp("9.00") };
const purchase = { type: "purchase" as const, ...whose, product_id: product.id, quantity: 2 };
const bought = await patiently("account_not_open", () =>
  client.POST("/api/v1/transactions", { params: wait, body: purchase }),
);
equal("the purchase", ok(bought).status, "recorded");

const wrong = await client.POST("/api/v1/transactions", { body: { ...transfer, amount: gbp("1.234") } });
equal("a wrong amount", wrong.error?.errors?.[0]?.pointer, "/amount/amount");
console.log("the typed client for TypeScript went through the main flow");
