// Drives one rival: `node RIVAL.mjs ACTION [NUMBER…]`, on the database that DATABASE_URL names. It answers in lines of
// JSON; actions and answers are those of ../rust/src/main.rs.
//
// A rival is { setup, open }; open() gives { bulk(jobs), one(job), work(ran) } by the rival's own documented interface.
import { setTimeout as sleep } from "node:timers/promises";

const [action, ...numbers] = process.argv.slice(2);
const [first, second] = numbers.map(Number);

const say = (event) => console.log(JSON.stringify(event));
const secondsSince = (started) => (performance.now() - started) / 1000;

/** The first jobs of each client are not counted: they find the worker still starting and the statements unprepared. */
const warmUp = 20;

/** A job that does nothing; its JSON has about 106 bytes. */
const nothing = (number) => ({ number, filler: "x".repeat(80) });

async function fill(rival, jobs, batch) {
  const started = performance.now();
  for (let start = 0; start < jobs; start += batch) {
    const size = Math.min(batch, jobs - start);
    await rival.bulk(Array.from({ length: size }, (_, index) => nothing(start + index)));
  }
  say({ event: "filled", jobs, seconds: secondsSince(started) });
}

/** Enqueues one job after the other for each of so many clients, while `more(done)` says so. */
async function fromClients(rival, clients, more) {
  let jobs = 0;
  const client = async () => {
    for (let done = 0; more(done); done += 1, jobs += 1) await rival.one(nothing(done));
  };
  await Promise.all(Array.from({ length: clients }, client));
  return jobs;
}

async function enqueue(rival, clients, seconds) {
  // Connections are made, and statements prepared, before the clock starts.
  await fromClients(rival, clients, (done) => done < warmUp);
  const started = performance.now();
  const jobs = await fromClients(rival, clients, () => secondsSince(started) < seconds);
  say({ event: "enqueued", jobs, seconds: secondsSince(started) });
}

async function work(rival, jobs) {
  // Whoever started this process has seen enough; the database goes with it.
  process.stdin.on("end", () => process.exit(0)).resume();
  let left = jobs;
  say({ event: "starting" });
  await rival.work(() => {
    left -= 1;
    if (left === 0) say({ event: "ran" });
  });
}

async function pickup(rival, samples) {
  let begun = () => {};
  await rival.work(() => begun(performance.now()));
  const ms = [];
  for (let number = 0; number < samples + warmUp; number += 1) {
    const begins = new Promise((resolve) => (begun = resolve));
    await rival.one(nothing(number));
    const enqueued = performance.now();
    const waited = Math.max(0, (await begins) - enqueued);
    if (number >= warmUp) ms.push(waited);
    // 3 to 19 ms, so that no poll is met in step.
    await sleep(3 + (Math.floor((number * 2654435761) / 7) % 17));
  }
  say({ event: "picked", ms });
}

/** Does what the command line asks. */
export async function drive({ setup, open }) {
  if (action === "setup") {
    await setup();
    say({ event: "ready" });
    process.exit(0);
  }
  const rival = await open();
  if (action === "work") return work(rival, first);
  await { fill, enqueue, pickup }[action](rival, first, second);
  process.exit(0);
}
