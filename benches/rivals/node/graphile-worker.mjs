// Graphile Worker with the configuration that its page on performance gives for its own figures
// (worker.graphile.org/docs/performance): 24 at once, a local queue of 500, completions in batches without delay.
import { Logger, makeWorkerUtils, run, runMigrations } from "graphile-worker";

import { drive } from "./driver.mjs";

const options = {
  preset: {
    worker: {
      connectionString: process.env.DATABASE_URL,
      concurrentJobs: 24,
      maxPoolSize: 25,
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
      logger: new Logger(() => () => {}),
    },
  },
};

await drive({
  setup: () => runMigrations(options),
  open: async () => {
    const utils = await makeWorkerUtils(options);
    return {
      bulk: (jobs) => utils.addJobs(jobs.map((payload) => ({ identifier: "nothing", payload }))),
      one: (job) => utils.addJob("nothing", job),
      work: (ran) => run({ ...options, taskList: { nothing: async () => ran() } }),
    };
  },
});
