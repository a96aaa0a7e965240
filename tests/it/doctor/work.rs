//! Workers, queues, schedules and the days of the history.

use super::kit::Patient;

/// A ready job of this kind, due for so many minutes.
fn ready(kind: &str, minutes: u32) -> String {
    format!(
        "insert into queue.job (state, priority, max_attempts, id, run_at, created_at, queue, kind, payload)
         values (1, 50, 3, gen_random_uuid(), now() - interval '{minutes} min', now(), 'ledger', '{kind}', '{{}}')"
    )
}

#[tokio::test]
async fn workers_that_are_missing_are_told() {
    let known = "update queue.process set kinds = '{ledger.reconcile}'";
    let elsewhere = "update queue.process set queues = '{accounts}'";
    for (changes, found) in [
        (vec!["delete from queue.process".to_owned()], vec!["workers.none"]),
        (vec!["update queue.process set lost_at = now()".to_owned()], vec!["workers.lost", "workers.none"]),
        (vec!["update queue.process set expires_at = now()".to_owned()], vec!["workers.lost", "workers.none"]),
        (vec![ready("ledger.reconcile", 1)], vec![]),
        (vec![ready("ledger.reconcile", 1), known.to_owned()], vec![]),
        (vec![ready("ledger.expire_holds", 1), known.to_owned()], vec!["workers.unserved"]),
        (vec![ready("ledger.reconcile", 1), elsewhere.to_owned()], vec!["workers.unserved"]),
        (vec![ready("ledger.reconcile", 60)], vec!["workers.late"]),
    ] {
        let mut patient = Patient::healthy().await;
        patient.execute(&changes.join(";")).await;
        patient.has(&found).await;
    }
}

#[tokio::test]
async fn what_is_paused_or_dead_is_told() {
    let paused = "insert into queue.queue_control (queue, paused_at, paused_by) values ('ledger', now(), 'cli:ada')";
    let dead = "insert into queue.dead_job
        (attempt, crashes, epoch, priority, max_attempts, died_at, id, run_at, created_at, reason, queue, kind, payload)
        values (3, 0, 3, 50, 3, now(), gen_random_uuid(), now(), now(), 'exhausted', 'ledger', 'ledger.reconcile', '{}')";
    for (changes, found) in [
        (paused.to_owned(), "queues.queue_paused"),
        // Whoever is paused is not late as well.
        (format!("{paused}; {}", ready("ledger.reconcile", 60)), "queues.queue_paused"),
        (
            "insert into queue.kind_pause values (0, 'ledger.reconcile', now(), 'cli:ada')".to_owned(),
            "queues.kind_paused",
        ),
        (dead.to_owned(), "queues.dead"),
    ] {
        let mut patient = Patient::healthy().await;
        patient.execute(&changes).await;
        patient.has(&[found]).await;
    }
}

#[tokio::test]
async fn schedules_that_do_not_fire_are_told() {
    for (paused, error, next_at, found) in [
        ("false", "null", "now() + interval '1 min'", None),
        ("false", "'no such kind'", "now()", Some("schedules.failing")),
        ("true", "null", "now() - interval '1 hour'", Some("schedules.paused")),
        ("false", "null", "now() - interval '1 hour'", Some("schedules.late")),
    ] {
        let mut patient = Patient::healthy().await;
        patient
            .execute(&format!(
                "insert into queue.schedule (name, kind, queue, priority, max_attempts, payload, version, spec, catch_up,
                     catch_up_max, overlap, is_declared, is_paused, error, next_at)
                 values ('tidy', 'ledger.reconcile', 'ledger', 50, 3, '{{}}', 1, '@hourly', 'none', 1, 'skip', true,
                     {paused}, {error}, {next_at})"
            ))
            .await;
        patient.has(&found.into_iter().collect::<Vec<_>>()).await;
    }
}

#[tokio::test]
async fn days_without_a_partition_are_told() {
    let mut patient = Patient::healthy().await;
    let drop = "do $$
        declare
            day text;
        begin
            for day in select to_char((now() at time zone 'utc')::date + number, 'YYYYMMDD') from generate_series(2, 7) as number
            loop
                -- The last one is not there when the run began before midnight.
                execute format('drop table if exists queue.job_history_%s', day);
            end loop;
        end
        $$";
    patient.execute(drop).await;
    patient.has(&["days.few_ahead"]).await;
    let report = patient.report().await;
    assert_eq!(report.facts["history"], "1 days ahead have a partition");
}

#[tokio::test]
async fn jobs_filed_without_a_day_are_told() {
    let mut patient = Patient::healthy().await;
    patient
        .execute(
            "insert into queue.job_history
                 (state, attempt, crashes, epoch, priority, max_attempts, finished_at, id, run_at, created_at, queue, kind, payload)
             values (4, 1, 0, 1, 50, 3, '2001-01-01', gen_random_uuid(), '2001-01-01', '2001-01-01', 'ledger', 'a', '{}')",
        )
        .await;
    patient.has(&["days.strays"]).await;
}
