// pg-boss with what its documentation has for throughput (pgboss.io/api/workers): batches of 2,000, fetched without a
// pause while they come back full, by four workers; and LISTEN/NOTIFY, so that an idle worker does not wait for a poll.
import { PgBoss } from "pg-boss";

import { drive } from "./driver.mjs";

const queue = "nothing";

const start = async () => {
  const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: 10, useListenNotify: true });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  return boss;
};

await drive({
  setup: async () => {
    const boss = await start();
    await boss.createQueue(queue, { notify: true });
  },
  open: async () => {
    const boss = await start();
    return {
      bulk: (jobs) => boss.insert(queue, jobs.map((data) => ({ data }))),
      one: (job) => boss.send(queue, job),
      work: (ran) => {
        const settings = {
          batchSize: 2000,
          burstWhenBatchFull: true,
          localConcurrency: 4,
          pollingIntervalSeconds: 0.5,
        };
        return boss.work(queue, settings, async (jobs) => jobs.forEach(ran));
      },
    };
  },
});
