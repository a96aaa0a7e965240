//! Schedules as the environment has them: when they tick instead of as in code.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use jobs::State;
use queue::Registry;

/// What begins the name of every variable of a schedule.
const PREFIX: &str = "SCHEDULE_";

/// When schedules tick.
#[derive(Debug, Clone, Args)]
pub(crate) struct ScheduleArgs {
    /// When a schedule ticks instead of as in code: `ledger.reconcile.full=30 2 * * *`, the same beginning with
    /// `TZ=Europe/London`, `@every 5m`, or `off`. May be given several times; `bitnexus schedules list` has their names. The
    /// variable SCHEDULE_LEDGER_RECONCILE_FULL does the same. What an operator says at run time counts for more.
    #[arg(long = "schedule", value_name = "NAME=SPEC")]
    schedules: Vec<String>,
}

impl ScheduleArgs {
    /// Has a worker process hear of them; an error names what is wrong.
    pub(crate) fn pass_on(&self) -> Result<impl Fn(&mut Command) + Send + Sync + use<>> {
        let mut variables = Vec::new();
        for given in &self.schedules {
            let pair = given.split_once('=');
            let (name, spec) = pair.ok_or_else(|| anyhow!("--schedule: `{given}` is not a name, =, and when"))?;
            variables.push((variable(name), spec.to_owned()));
        }
        check(&variables)?;
        Ok(move |command: &mut Command| {
            command.envs(variables.iter().map(|(name, spec)| (name, spec)));
        })
    }
}

/// The variable of the schedule of this name.
fn variable(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("{PREFIX}{}", name.chars().map(plain).collect::<String>())
}

/// Refuses what is wrong in the environment, or in these that come before it.
///
/// # Errors
/// The name of the variable, and what is wrong with it.
pub(crate) fn check(variables: &[(String, String)]) -> Result<()> {
    let nothing_signs = State::new(Box::new(|| Err("no job runs here".into())));
    configure(jobs::registry(nothing_signs), variables).map(|_| ())
}

/// The registry with the times that the environment gives.
///
/// # Errors
/// As [`check`].
pub(crate) fn from_environment(registry: Registry) -> Result<Registry> {
    configure(registry, &[])
}

fn configure(mut registry: Registry, before: &[(String, String)]) -> Result<Registry> {
    let of_environment = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let mut given: BTreeMap<String, String> = of_environment
        .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect();
    given.extend(before.iter().cloned());
    let names: Vec<String> = registry.schedules().iter().map(|schedule| schedule.name().to_owned()).collect();
    for (name, spec) in given {
        let Some(schedule) = names.iter().find(|schedule| variable(schedule) == name) else {
            let known: Vec<String> = names.iter().map(|name| variable(name)).collect();
            bail!("{name}: there is no such schedule; there are {}", known.join(", "));
        };
        registry = registry.reschedule(schedule, &spec).map_err(|error| anyhow!("{name}: {error}"))?;
    }
    Ok(registry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, spec: &str) -> String {
        check(&[(name.to_owned(), spec.to_owned())]).unwrap_err().to_string()
    }

    #[test]
    fn each_schedule_has_a_variable_of_its_own_and_takes_what_cron_does() {
        for spec in ["30 2 * * *", "@every 5m", "off", "TZ=Europe/London 30 2 * * *", "TZ=Asia/Tokyo @daily"] {
            for name in ["LEDGER_RECONCILE_FULL", "LEDGER_CHECKPOINT", "LEDGER_EXPIRE_HOLDS", "SYSTEM_RETENTION"] {
                check(&[(format!("SCHEDULE_{name}"), spec.to_owned())]).unwrap();
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let told = refusal("SCHEDULE_LEDGER_RECONCILE_FULL", "30 25 * * *");
        assert!(told.starts_with("SCHEDULE_LEDGER_RECONCILE_FULL: `25` is no hour"), "{told}");
        let told = refusal("SCHEDULE_SYSTEM_RETENTION", "TZ=Mars/Olympus @daily");
        assert!(told.starts_with("SCHEDULE_SYSTEM_RETENTION: `Mars/Olympus` is no time zone"), "{told}");
        let told = refusal("SCHEDULE_LEDGER_RECONCILE", "@daily");
        assert!(told.contains("no such schedule") && told.contains("SCHEDULE_LEDGER_RECONCILE_FULL"), "{told}");
        assert!(refusal("SCHEDULE_SYSTEM_RETENTION", "TZ=Europe/London").contains("five fields"), "no time at all");
    }
}
