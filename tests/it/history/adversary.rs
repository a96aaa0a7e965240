//! The plan of faults, drawn from a seed, and the adversary that carries it out.

use std::time::Duration;

use tests::proxy::Held;
use tests::random::Random;
use tests::server::Shutdown;

use super::child::{LEASE, Role};
use super::stage::Stage;

/// What is done to a participant, or to all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGKILL, and another process takes its place; whether somebody tells the queue at once that it is dead.
    Kill {
        told: bool,
    },
    /// SIGSTOP, and SIGCONT after this long.
    Stop(Duration),
    /// A new process takes its place, whose clock is that of libfaketime with this setting.
    Shift(&'static str),
    CutAll,
    CutOne(u64),
    /// The server does not learn for this long that its clients are gone.
    HalfOpen(Duration),
    /// Nothing arrives in these directions for this long; whether what was held is then lost.
    Hold {
        held: Held,
        length: Duration,
        lost: bool,
    },
    /// One connection carries out statements, and their answers do not arrive for this long: what was settled is settled
    /// again, while all else goes on.
    Deaf {
        number: u64,
        length: Duration,
    },
    /// Nothing arrives for all participants at once: the database is away.
    Outage(Duration),
    Restart(Shutdown),
    /// One of the server's processes is killed, so that all sessions end and it recovers.
    Crash,
}

/// One step of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The wait before it.
    pub(super) pause: Duration,
    pub(super) role: Role,
    /// Which of the participants of the role.
    pub(super) slot: usize,
    pub(super) fault: Fault,
}

/// Two faults a second at the least, the restarts of the server included.
const PAUSE_MS_MAX: u64 = 600;

/// Clocks that are wrong by a jump, and clocks that run too fast or too slow.
const CLOCKS: [&str; 6] = ["+1h", "-1d", "+400d", "+0 x1.4", "+0 x0.7", "+10s x0.9"];

/// The steps that this seed always gives.
pub(super) fn plan(random: &mut Random, faults: u64, has_faketime: bool) -> Vec<Step> {
    (0..faults).map(|_| step(random, has_faketime)).collect()
}

fn step(random: &mut Random, has_faketime: bool) -> Step {
    let pause = Duration::from_millis(random.below(PAUSE_MS_MAX));
    let role = if random.below(8) == 0 { Role::Enqueuer } else { Role::Worker };
    let slot = random.below(Stage::slots(role) as u64) as usize;
    let fault = match random.below(100) {
        0..25 => Fault::Kill { told: random.below(2) == 0 },
        25..52 => Fault::Stop(length(random)),
        52..57 => Fault::Shift(CLOCKS[random.below(CLOCKS.len() as u64) as usize]),
        57..62 => Fault::CutAll,
        62..71 => Fault::CutOne(random.below(8)),
        71..76 => Fault::HalfOpen(length(random)),
        76..84 => hold(random),
        84..90 => Fault::Deaf { number: random.below(64), length: length(random) },
        90..92 => Fault::Outage(length(random)),
        92..95 => Fault::Restart(Shutdown::Fast),
        95..98 => Fault::Restart(Shutdown::Immediate),
        _ => Fault::Crash,
    };
    // Without the library, its share goes to what is nearest: a process that is replaced.
    let fault = if matches!(fault, Fault::Shift(_)) && !has_faketime { Fault::Kill { told: false } } else { fault };
    Step { pause, role, slot, fault }
}

/// Half of them shorter than a lease, half of them longer.
fn length(random: &mut Random) -> Duration {
    let lease_ms = LEASE.as_millis() as u64;
    let short = random.below(2) == 0;
    Duration::from_millis(if short { random.below(lease_ms) } else { lease_ms + random.below(3 * lease_ms) })
}

fn hold(random: &mut Random) -> Fault {
    let held = match random.below(3) {
        0 => Held { up: true, down: true },
        1 => Held { up: true, down: false },
        _ => Held { up: false, down: true },
    };
    Fault::Hold { held, length: length(random), lost: random.below(2) == 0 }
}

#[test]
fn a_seed_gives_one_plan() {
    let plan = |seed| plan(&mut Random::new(seed), 500, true);
    assert_eq!(plan(1), plan(1));
    assert_ne!(plan(1), plan(2));
    let restarts = plan(1).iter().filter(|step| matches!(step.fault, Fault::Restart(_))).count();
    assert!((10..60).contains(&restarts), "{restarts} restarts among 500 faults");
}
