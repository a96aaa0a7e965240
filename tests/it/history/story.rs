//! Prints what went wrong: each violation, and everything that is known of its job.

use std::fmt::Write;

use uuid::Uuid;

use super::check::Violation;
use super::event::What;
use super::facts::Facts;

/// The most jobs whose story is told; the rest is counted.
const STORIES_MAX: usize = 10;

/// All violations, and the stories of the first jobs.
pub(super) fn tell(facts: &Facts, violations: &[Violation]) -> String {
    let mut text = format!("{} violations\n", violations.len());
    for violation in violations {
        let job = violation.job.map_or_else(String::new, |job| format!("job {job} "));
        writeln!(text, "  {}: {job}{}", violation.invariant, violation.text).expect("a string takes what it is given");
    }
    let mut jobs: Vec<Uuid> = violations.iter().filter_map(|violation| violation.job).collect();
    jobs.sort_unstable();
    jobs.dedup();
    jobs.iter().take(STORIES_MAX).for_each(|job| text += &of_job(facts, *job));
    if jobs.len() > STORIES_MAX {
        writeln!(text, "… and {} more jobs", jobs.len() - STORIES_MAX).expect("a string takes what it is given");
    }
    text
}

/// Everything that is known of a job, and of the processes that had to do with it, in the order of time.
fn of_job(facts: &Facts, job: Uuid) -> String {
    let mut lines: Vec<(i64, String)> = Vec::new();
    for event in &facts.events {
        if concerns(&event.what, job) {
            let what = match &event.what {
                What::Invoked(jobs) => {
                    format!("invoked {:?}", jobs.iter().find(|(id, _)| *id == job).map(|(_, told)| told))
                }
                What::Acknowledged(_) => "acknowledged".to_owned(),
                What::Refused(_) => "refused".to_owned(),
                What::Unknown(_) => "no answer".to_owned(),
                other => format!("{other:?}"),
            };
            lines.push((event.at_us, format!("pid {}: {what}", event.pid)));
        }
    }
    let spans: Vec<_> = facts.spans.iter().filter(|span| span.job == job).collect();
    for span in &spans {
        lines.push((span.claim.at_us, format!("database: claimed by {:?}", span.claim)));
        lines.extend(span.ended.map(|end| (end.at_us, format!("database: the claim {:?} has ended", span.claim))));
    }
    for lease in facts.leases.iter().filter(|lease| spans.iter().any(|span| span.claim.owner == lease.process)) {
        let what = format!("lease {}", lease.process);
        lines.extend(lease.lost.map(|lost| (lost.at_us, format!("database: {what} declared lost, {lost:?}"))));
        lines.extend(lease.gone.map(|gone| (gone.at_us, format!("database: {what} is gone"))));
    }
    let (first, last) = (lines.iter().map(|(at, _)| *at).min(), lines.iter().map(|(at, _)| *at).max());
    let near = first.unwrap_or_default()..=last.unwrap_or_default();
    for event in facts.events.iter().filter(|event| near.contains(&event.at_us)) {
        if matches!(event.what, What::Fault(_) | What::Crash | What::Gone { .. } | What::Released { .. }) {
            lines.push((event.at_us, format!("adversary: {:?}", event.what)));
        }
    }
    lines.sort();
    let mut text = format!("\njob {job}\n");
    for (at_us, line) in lines {
        writeln!(text, "  {:>10} µs {line}", at_us - near.start()).expect("a string takes what it is given");
    }
    for row in facts.rows.iter().filter(|row| row.id == job) {
        writeln!(text, "  in the end: {row:?}").expect("a string takes what it is given");
    }
    for effect in facts.effects.iter().filter(|effect| effect.job == job) {
        writeln!(text, "  effect: {effect:?}").expect("a string takes what it is given");
    }
    text
}

fn concerns(what: &What, job: Uuid) -> bool {
    match what {
        What::Invoked(jobs) => jobs.iter().any(|(id, _)| *id == job),
        What::Acknowledged(ids) | What::Refused(ids) | What::Unknown(ids) => ids.contains(&job),
        What::Begun { job: of, .. } | What::Did { job: of, .. } | What::Ended { job: of, .. } => *of == job,
        What::Started | What::Gone { .. } | What::Released { .. } | What::Crash | What::Fault(_) => false,
    }
}
