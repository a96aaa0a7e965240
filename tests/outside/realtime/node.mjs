// The client of Phoenix in Node, with `ws` for its WebSocket: everything that it can do, against a service that dies and comes back.
import { readdirSync, readFileSync } from "node:fs";
import { LongPoll, Presence, Socket } from "phoenix";
import WebSocket from "ws";
import { adminKey, answered, call, held, login, person, signal, transfer, url, within } from "./kit.mjs";

const endpoint = `${url.replace("http", "ws")}/socket`;
const [ada, bob] = [await person("ada"), await person("bob")];

/** A client, connected, with the codes of all its closes. */
async function client(options, wait = true) {
  const socket = new Socket(endpoint, { transport: WebSocket, reconnectAfterMs: () => 100, ...options });
  socket.codes = [];
  socket.onClose((event) => socket.codes.push(event.code));
  const open = signal();
  socket.onOpen(() => open.done(true));
  socket.connect();
  if (wait) await within("a connection", open);
  return socket;
}

/** Joins a topic; the channel remembers every event in `seen`, and asks for what it missed when it joins again. */
async function join(socket, topic, params = {}) {
  const seen = [];
  const last = {};
  const channel = socket.channel(topic, () => ({ ...params, ...last }));
  channel.onMessage = (event, payload) => {
    if (payload?.id) {
      seen.push(payload);
      last.last_event_id = payload.id;
    }
    channel.heard?.(event, payload);
    return payload;
  };
  const [status, response] = await answered(channel.join());
  if (status === "ok" && response.last_event_id) last.last_event_id ??= response.last_event_id;
  return Object.assign(channel, { seen, status, response });
}

/** Waits until something holds of what a channel has heard. */
async function until(what, holds) {
  const give_up = Date.now() + 60_000;
  while (!holds()) {
    if (Date.now() > give_up) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

const reopened = (socket) => within("a connection after a close", new Promise((done) => socket.onOpen(() => done(true))));
const kinds = (channel, id) => channel.seen.filter(({ data }) => data.transaction_id === id).map(({ type }) => type);

/** The process that serves the API: the child of `up` that was started for it. */
function apiPid() {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ")[1];
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      if (parent === process.env.UP_PID && command[1] === "api") return Number(pid);
    } catch {
      // It has ended meanwhile.
    }
  }
  throw new Error("there is no api process");
}

// Connecting, both ways to pass a token, and being refused.
const socket = await client({ params: { token: ada.token }, heartbeatIntervalMs: 500 });
held("the client connects with a token in its parameters", socket.isConnected(), true);
const other = await client({ authToken: bob.token });
held("and with one as a subprotocol", [other.isConnected(), other.conn.protocol], [true, "phoenix"]);
for (const [what, options] of [
  ["no token", {}],
  ["a wrong token", { params: { token: "bns_wrong" } }],
  ["another version", { params: { token: ada.token }, vsn: "1.0.0" }],
]) {
  const refused = await client({ ...options, transport: WebSocket, logger: null }, false);
  await until("the refusal", () => refused.codes.length >= 2);
  held(`${what} is refused, and the client tries again`, refused.codes.slice(0, 2), [1006, 1006]);
  refused.disconnect();
}
const status = await new Promise((done) =>
  new WebSocket(`${endpoint}/websocket?vsn=2.0.0&token=bns_wrong`)
    .on("unexpected-response", (_, response) => done(response.statusCode))
    .on("error", () => {}),
);
held("refused as Phoenix does", status, 403);

// Joining, pushing, replies.
const own = await join(socket, `transactions:${ada.id}`);
held("it joins what is its own", own.status, "ok");
const foreign = await join(other, `transactions:${ada.id}`);
held("and nothing else", [foreign.status, foreign.response], ["error", { reason: "unauthorized" }]);
foreign.leave();
const unknown = await join(other, "nonsense:1");
held("nor what there is not", [unknown.status, unknown.response], ["error", { reason: "unmatched topic" }]);
unknown.leave();
held("a push is answered", await answered(own.push("ping", { n: 1 })), ["ok", { n: 1 }]);
held("an unknown one too", await answered(own.push("shout", {})), ["error", { reason: "unmatched event" }]);
const bytes = new Uint8Array([0, 1, 254, 255]).buffer;
const [binaryStatus, binary] = await answered(own.push("ping", bytes));
held("bytes go both ways", [binaryStatus, [...new Uint8Array(binary)]], ["ok", [0, 1, 254, 255]]);
const pinged = signal();
socket.ping((ms) => pinged.done(ms >= 0));
held("the socket's own ping is answered", await within("a pong", pinged), true);

// A transaction from accepted to recorded, in every client that may hear of it.
const second = await join(await client({ params: { token: ada.token } }), `transactions:${ada.id}`);
const orders = await join(socket, `orders:${ada.id}`);
const settled = signal();
orders.on("orderSettled", (payload) => settled.done(payload));
const bobs = await join(other, `transactions:${bob.id}`);
const moved = await transfer(ada, bob);
for (const channel of [own, second, bobs]) {
  await until("the record", () => kinds(channel, moved.id).includes("transaction.recorded"));
}
const order = ["transaction.accepted", "transaction.recorded"];
held("both clients of one user hear of it, in order", [own, second].map((channel) => kinds(channel, moved.id)), [order, order]);
held("the other side hears of it too", kinds(bobs, moved.id).at(-1), "transaction.recorded");
held("by other names, as the file of topics says", (await within("orderSettled", settled)).orderId, moved.id);
const single = await join(other, `transactions:${moved.id}`);
held("a single transaction can be followed", single.status, "ok");

// Heartbeats keep the client, and are answered: it would have closed the connection otherwise.
await new Promise((done) => setTimeout(done, 1_800));
held("heartbeats are answered", [socket.codes, socket.isConnected()], [[], true]);

// Presence.
const room = (of) => {
  const channel = of.channel("room:lobby", {});
  const presence = new Presence(channel);
  const names = () => presence.list((id) => id).sort();
  return { channel, presence, names };
};
const [adas, bobsRoom] = [room(socket), room(other)];
await answered(adas.channel.join());
await answered(bobsRoom.channel.join());
const both = [ada.id, bob.id].sort();
await until("both in the room", () => [adas, bobsRoom].every(({ names }) => names().length === 2));
held("presence: both see both", [adas.names(), bobsRoom.names()], [both, both]);
bobsRoom.channel.leave();
await until("one in the room", () => adas.names().length === 1);
held("and that one left", adas.names(), [ada.id]);

// Joining twice, leaving.
const twice = await join(socket, `user:${ada.id}`);
const replacement = signal();
twice.onClose(() => replacement.done("closed"));
const again = await join(socket, `user:${ada.id}`);
held("a second join ends the first", [again.status, await within("phx_close", replacement)], ["ok", "closed"]);
const left = signal();
again.onClose(() => left.done("closed"));
again.leave();
held("leaving closes the channel for good", [await within("phx_close", left), again.state], ["closed", "closed"]);

// Every code by which the server closes, and the client is back each time.
for (const [what, code, frame] of [
  ["what is no frame", 1007, "no frame"],
  ["a frame that is too long", 1009, "x".repeat(70_000)],
]) {
  const back = reopened(socket);
  socket.conn.send(frame);
  await back;
  held(`${what} closes the connection`, socket.codes.splice(0), [code]);
  await until("joined again", () => own.state === "joined");
}
const revoked = { ...(await login(ada)) };
let current = revoked.token;
const renewing = await client({ params: () => ({ token: current }) });
const renewed = await join(renewing, `transactions:${ada.id}`);
current = ada.token;
const back = reopened(renewing);
await call("DELETE", "/api/v1/sessions/current", revoked.token);
await back;
held("a log-out closes the connection", renewing.codes.splice(0), [1001]);
await until("joined again", () => renewed.state === "joined");
held("and a new token goes on", renewed.state, "joined");

// The server stops and starts again: in order, and killed. What was missed comes, once.
for (const [what, how, code] of [
  ["a restart", "SIGTERM", 1012],
  ["a kill", "SIGKILL", 1006],
]) {
  // Each change of state of its own is heard before the process goes.
  const before = await transfer(ada, bob);
  await until("the record", () => kinds(own, before.id).includes("transaction.recorded"));
  const back = [reopened(socket), reopened(other)];
  process.kill(apiPid(), how);
  const pushed = (await until("the close", () => socket.codes.length > 0), own.push("ping", { while: "down" }, 60_000));
  const missed = await transfer(ada, bob);
  await Promise.all(back);
  held(`${what} closes with`, socket.codes.splice(0)[0], code);
  for (const channel of [own, bobs]) {
    await until("what was missed", () => kinds(channel, missed.id).includes("transaction.recorded"));
  }
  held("what happened meanwhile is told, once and in order", kinds(own, missed.id), order);
  held("nothing is told twice", new Set(own.seen.map(({ id }) => id)).size, own.seen.length);
  held("what was pushed meanwhile is answered", await answered(pushed), ["ok", { while: "down" }]);
  other.codes.splice(0);
}

// Away for longer: the gap is replayed to a new client that says where it was.
const gone = own.seen.at(-1).id;
const late = [await transfer(ada, bob), await transfer(ada, bob)];
await until("the records", () => late.every(({ id }) => kinds(own, id).includes("transaction.recorded")));
const returned = await join(await client({ params: { token: ada.token } }), `transactions:${ada.id}`, { last_event_id: gone });
held("a join after a gap says that all of it comes", returned.response.complete, true);
await until("the gap", () => returned.seen.length >= returned.response.replayed);
held("and all of it does", late.map(({ id }) => kinds(returned, id)), [order, order]);
held("in the order of the log", returned.seen.map(({ id }) => id), own.seen.map(({ id }) => id).slice(-returned.seen.length));

// Long polls: by themselves, after the session is lost, and as the way out where WebSockets do not work.
const poller = await client({ transport: LongPoll, params: { token: ada.token } });
const polled = await join(poller, `transactions:${ada.id}`);
held("long poll: it joins", polled.status, "ok");
held("long poll: a push is answered", await answered(polled.push("ping", { n: 2 })), ["ok", { n: 2 }]);
const byPoll = await transfer(ada, bob);
await until("the record", () => kinds(polled, byPoll.id).includes("transaction.recorded"));
held("long poll: events come, in order", kinds(polled, byPoll.id), order);
const withHeader = await client({ transport: LongPoll, authToken: ada.token });
held("long poll: a token in its header", (await join(withHeader, `transactions:${ada.id}`)).status, "ok");
const pollBack = reopened(poller);
process.kill(apiPid(), "SIGTERM");
await pollBack;
await until("joined again", () => polled.state === "joined");
held("long poll: a lost session begins anew", [3410, 1006, 1011, 1000, 500].includes(poller.codes[0]), true);
const afterPoll = await transfer(ada, bob);
await until("the record", () => kinds(polled, afterPoll.id).includes("transaction.recorded"));
held("long poll: and misses nothing", kinds(polled, afterPoll.id), order);
const noPolls = await client({ transport: LongPoll, params: { token: "bns_wrong" } }, false);
await until("the refusal", () => noPolls.codes.length > 0);
held("long poll: a wrong token is refused", noPolls.codes[0], 1008);

class Blocked extends WebSocket {
  constructor() {
    super("ws://127.0.0.1:9/");
  }
}
const blocked = await client({ transport: Blocked, longPollFallbackMs: 300, params: { token: ada.token } });
held("where WebSockets are blocked, it falls back to long polls", blocked.transport === LongPoll, true);
held("and joins", (await join(blocked, `transactions:${ada.id}`)).status, "ok");

const staff = await join(await client({ params: { token: adminKey } }), "ledger");
held("staff follow the ledger", staff.status, "ok");
const closed = signal();
socket.disconnect(() => closed.done(true), 1000, "done");
held("the client may leave", await within("the end", closed), true);
process.exit(0);
