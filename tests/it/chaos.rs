//! The import while processes are killed at random: the same end as if nothing had happened (invariants 1 and 2).
//!
//! `CHAOS_KILLS` sets how many (6), `CHAOS_LINES` how much of the real file is taken (2,000; 0: all of it),
//! `CHAOS_SEED` repeats the choices of a run, which prints its seed. `CHAOS_PAUSE_MS` is the longest pause between two
//! kills (1,500), `CHAOS_VICTIMS` who may be killed, by the names in `VICTIMS`.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tests::processes::Role;
use tests::random::Random;
use tests::retail::{self, Sum, balances_sha256};
use tests::service::Service;
use tests::state::State;

/// Who may be killed; workers stand twice because there are more of them.
const VICTIMS: &str = "worker,worker,supervisor,api,postgres,up";

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn victims() -> Vec<Role> {
    let names = std::env::var("CHAOS_VICTIMS").unwrap_or_else(|_| VICTIMS.to_owned());
    let role = |name: &str| match name {
        "up" => Role::Up,
        "api" => Role::Api,
        "supervisor" => Role::Supervisor,
        "worker" => Role::Worker,
        "postgres" => Role::Postgres,
        other => panic!("CHAOS_VICTIMS={other} is nobody"),
    };
    names.split(',').map(role).collect()
}

/// The first lines of the real file, or the fixture where there is none.
fn orders(folder: &Path, lines: usize) -> PathBuf {
    let Some(real) = retail::real() else { return retail::fixture() };
    let text = std::fs::read_to_string(real).unwrap();
    let lines = if lines == 0 { usize::MAX } else { lines + 1 };
    let part: String = text.split_inclusive('\n').take(lines).collect();
    let path = folder.join("orders.csv");
    std::fs::write(&path, part).unwrap();
    path
}

fn spawn_import(service: &Service, file: &Path) -> Child {
    // Small batches make for many moments to be killed in.
    let mut command = service.import(file, &["--batch", "20", "--in-flight", "2", "--give-up-after", "300"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Kills at random until it has killed `kills` times, as long as the import runs; says how often it did.
async fn kill_at_random(service: &mut Service, import: &mut Child, random: &mut Random, kills: u64) -> u64 {
    let (mut done, started) = (0, Instant::now());
    let (victims, pause_ms_max) = (victims(), setting("CHAOS_PAUSE_MS", 1_500));
    while done < kills && import.try_wait().unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(random.below(pause_ms_max))).await;
        service.start_again_if_ended();
        let role = victims[random.below(victims.len() as u64) as usize];
        let candidates: Vec<_> = service.processes().into_iter().filter(|process| process.role == role).collect();
        if candidates.is_empty() {
            continue;
        }
        let victim = &candidates[random.below(candidates.len() as u64) as usize];
        if service.kill(victim) {
            done += 1;
            println!("{:>7} ms: kill {done} of {kills}: {role:?} {}", started.elapsed().as_millis(), victim.pid);
        }
    }
    done
}

/// Keeps the service running, without further kills, until the import ends.
async fn let_it_end(service: &mut Service, mut import: Child) {
    while import.try_wait().unwrap().is_none() {
        service.start_again_if_ended();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let output = import.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_through_kills_ends_as_if_nothing_had_happened() {
    let seed = setting("CHAOS_SEED", Random::seed());
    let kills = setting("CHAOS_KILLS", 6);
    println!("CHAOS_SEED={seed} CHAOS_KILLS={kills}");
    let mut random = Random::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let file = orders(folder.path(), setting("CHAOS_LINES", 2_000) as usize);

    let calm = Service::start().await;
    assert!(calm.import(&file, &[]).output().unwrap().status.success());
    let expected = State::of(&calm).await;
    calm.stop();

    let mut service = Service::start().await;
    let mut killed = 0;
    while killed < kills {
        // Where the import ends before all kills are done, a second one goes through the rest, and has to add nothing.
        let mut import = spawn_import(&service, &file);
        killed += kill_at_random(&mut service, &mut import, &mut random, kills - killed).await;
        let_it_end(&mut service, import).await;
    }
    service.start_again_if_ended();
    service.wait_until_ready().await;
    let state = State::of(&service).await;
    assert_eq!(state, expected, "CHAOS_SEED={seed}");
    if let Some(sum) = Sum::of(&file) {
        assert_eq!(balances_sha256(&state.customers()), sum.balances_sha256);
        assert_eq!(state.count("") - state.count("deposit"), sum.accepted);
    }
    let verified = service.verify();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    service.stop();
}
