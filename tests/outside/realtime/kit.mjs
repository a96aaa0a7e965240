// What the scripts share: requests to the API, people to act for, checks, and waiting.
export const [url, adminKey] = process.argv.slice(2);
if (!url || !adminKey) throw new Error("usage: <script> <url of the API> <administrator's key>");

const run = Date.now().toString(36);
const PATIENCE_MS = 60_000;
let count = 0;

/** Sends JSON and reads JSON; an error ends the program. */
export async function call(method, path, token, body, headers = {}) {
  const init = { method, headers: { "content-type": "application/json", ...headers }, body: body && JSON.stringify(body) };
  if (token) init.headers.authorization = `Bearer ${token}`;
  // By its key, a request that is repeated is done once.
  if (method === "POST" && path !== "/api/v1/sessions") init.headers["idempotency-key"] = crypto.randomUUID();
  for (let tries = 0; ; tries++) {
    const [status, text] = await fetch(url + path, init).then(
      async (answer) => [answer.status, await answer.text()],
      (error) => [503, `the API is away: ${error.cause ?? error}`],
    );
    if (status < 300) return text ? JSON.parse(text) : null;
    const isEarly = text.includes("account_not_open") || status === 503;
    if (!isEarly || tries > 600) throw new Error(`${method} ${path}: ${status} ${text}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** A user with 100 pounds and a session. */
export async function person(name) {
  const [email, password] = [`${name}-${run}@example.org`, `the password of ${name}`];
  const user = await call("POST", "/api/v1/users", adminKey, { email, name, password });
  const account = user.wallets[0].account_id;
  const deposit = { type: "deposit", to: account, amount: { amount: "100.00", currency: "GBP" } };
  await call("POST", "/api/v1/transactions", adminKey, deposit, { prefer: "wait=30" });
  return { id: user.id, account, email, password, ...(await login({ email, password })) };
}

/** A session of its own. */
export async function login({ email, password }) {
  const session = await call("POST", "/api/v1/sessions", null, { email, password });
  return { token: session.token, session: session.session?.id ?? session.id };
}

export const transfer = (from, to, amount = "0.01") =>
  call("POST", "/api/v1/transactions", from.token, {
    type: "transfer",
    from: from.account,
    to: to.account,
    amount: { amount, currency: "GBP" },
  });

/** Waits for a promise, and says for what if it takes too long. */
export function within(what, promise, ms = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, fail) => (timer = setTimeout(() => fail(new Error(`waited in vain for ${what}`)), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A promise that is kept by its function `done`. */
export function signal() {
  let done;
  const promise = new Promise((resolve) => (done = resolve));
  return Object.assign(promise, { done });
}

export function held(what, got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) {
    throw new Error(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
  }
  count++;
  console.log(`ok ${count} ${what}`);
}

/** What a push or a join is answered: its status and its response. */
export function answered(push) {
  return within(
    "a reply",
    new Promise((done) => {
      push.receive("ok", (response) => done(["ok", response]));
      push.receive("error", (response) => done(["error", response]));
      push.receive("timeout", () => done(["timeout", null]));
    }),
  );
}
