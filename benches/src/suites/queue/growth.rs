//! Whether the drain slows down as the backlog grows: a queue is slowest when it matters most, or it is not.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::drain::filled_drain;
use super::rivals::{Installed, fastest};
use super::{DRAINED, Plan};
use crate::plot::{Line, Titles, short, svg};
use crate::report::Report;
use crate::server::Server;

/// Jobs that wait.
const BACKLOGS: [usize; 4] = [10_000, 100_000, 1_000_000, 5_000_000];

/// The largest with `--quick`.
const QUICK_MAX: usize = 100_000;

/// How many rivals are in the picture.
const RIVALS: usize = 2;

/// Adds `queue.growth.BACKLOG` and `queue.growth.BACKLOG.RIVAL` of the fastest rivals, and writes the plot.
pub(super) async fn measure(plan: &Plan, server: &Server, rivals: &[Installed], report: &mut Report) -> Result<()> {
    let backlogs = || BACKLOGS.into_iter().filter(|backlog| !plan.quick || *backlog <= QUICK_MAX);
    let mut ours = Line { name: "bitnexus".to_owned(), points: Vec::new() };
    for backlog in backlogs() {
        let mut rates = Vec::new();
        for _ in 0..repetitions(plan, backlog) {
            rates.push(filled_drain(&server.fresh_of_ours().await?, backlog, backlog.min(DRAINED)).await?);
        }
        add(report, &mut ours, backlog, rates, String::new());
    }
    let mut lines = vec![ours];
    for rival in fastest(rivals, report).into_iter().take(RIVALS) {
        let mut line = Line { name: rival.title(), points: Vec::new() };
        for backlog in backlogs() {
            if let Err(error) = grow(plan, server, rival, backlog, report, &mut line).await {
                report.skip(&format!("growth of {} at {backlog}", rival.name()), &format!("{error:#}"));
            }
        }
        lines.push(line);
    }
    write(plan, &lines)
}

async fn grow(
    plan: &Plan,
    server: &Server,
    rival: &Installed,
    backlog: usize,
    report: &mut Report,
    line: &mut Line,
) -> Result<()> {
    let mut rates = Vec::new();
    for _ in 0..repetitions(plan, backlog) {
        rates.push(rival.drain(server, backlog, backlog.min(DRAINED)).await?);
    }
    add(report, line, backlog, rates, format!(".{}", rival.name()));
    Ok(())
}

/// Small backlogs are gone too quickly to be measured once.
fn repetitions(plan: &Plan, backlog: usize) -> usize {
    if backlog <= DRAINED { plan.repetitions() } else { 1 }
}

fn add(report: &mut Report, line: &mut Line, backlog: usize, rates: Vec<f64>, whose: String) {
    let name = format!("queue.growth.{}{whose}", short(backlog as f64).to_lowercase());
    report.add_median(&name, rates, "jobs/s");
    line.points.extend(report.value(&name).map(|rate| (backlog as f64, rate)));
}

/// In the documentation, or beside the program where it is not the whole picture.
fn write(plan: &Plan, lines: &[Line]) -> Result<()> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let path = root.join(if plan.quick { "target" } else { "docs" }).join("queue-growth.svg");
    let titles = Titles {
        plot: "Drain rate of one worker process against the backlog",
        x: "jobs waiting (logarithmic)",
        y: "jobs settled per second",
    };
    std::fs::write(&path, svg(titles, lines)).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("queue.growth: wrote {}", path.display());
    Ok(())
}
