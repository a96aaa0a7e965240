//! Where the run takes place: the server, the participants, each behind a proxy of its own, and their files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cli::migrations::migrate;
use queue::lease;
use sqlx::{Connection, PgConnection, PgPool};
use tempfile::TempDir;
use tests::again::Again;
use tests::proxy::{Held, Proxy};
use tests::random::Random;
use tests::server::Server;
use tokio::time::Instant;

use super::adversary::{Fault, Step};
use super::child::{Recipe, Role};
use super::event::{Diary, What};

const DATABASE: &str = "history";
const WORKERS: usize = 4;
const ENQUEUERS: usize = 2;

/// What undoes a fault, when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cure {
    /// Of this process: the one that has taken the place of a stopped one is not to be sent anything.
    GoOn(i32),
    LetGo,
    Cut,
}

/// One participant: a process, and those that took its place.
struct Slot {
    role: Role,
    number: usize,
    proxy: Proxy,
    process: Again,
    incarnation: u64,
}

/// Everything that takes part.
pub(super) struct Stage {
    folder: TempDir,
    server: Server,
    slots: Vec<Slot>,
    /// What the adversary does.
    diary: Diary,
    random: Random,
    cures: Vec<(Instant, usize, Cure)>,
    faketime: Option<PathBuf>,
}

impl Stage {
    /// How many participants of a role there are.
    pub(super) fn slots(role: Role) -> usize {
        match role {
            Role::Worker => WORKERS,
            Role::Enqueuer => ENQUEUERS,
        }
    }

    /// Starts everything.
    pub(super) async fn set(seed: u64, faketime: Option<PathBuf>) -> Stage {
        // Nothing here outlives a crash of the machine, so nothing needs a flush; a crash of the server is survived by
        // what was written, flushed or not, and loses what was not written yet.
        // A connection whose first message is held keeps the server from stopping for as long as authentication may take.
        let settings = ["fsync=off", "max_connections=200", "log_min_messages=warning", "authentication_timeout=1"];
        let server = Server::start(&settings);
        let mut conn = PgConnection::connect(&server.url("postgres")).await.unwrap();
        sqlx::raw_sql("create database history").execute(&mut conn).await.unwrap();
        let pool = PgPool::connect(&server.url(DATABASE)).await.unwrap();
        migrate(&pool).await.unwrap();
        sqlx::raw_sql(include_str!("witness.sql")).execute(&pool).await.unwrap();
        pool.close().await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("diaries")).unwrap();
        let diary = Diary::open(&folder.path().join("diaries/adversary"));
        let mut random = Random::new(seed);
        let mut slots = Vec::new();
        for (role, number) in
            [Role::Worker, Role::Enqueuer].into_iter().flat_map(|role| (0..Stage::slots(role)).map(move |n| (role, n)))
        {
            let proxy = Proxy::start(server.folder());
            let process = start(&server, folder.path(), &proxy, (role, number, 0), random.below(u64::MAX), Vec::new());
            slots.push(Slot { role, number, proxy, process, incarnation: 0 });
        }
        Stage { folder, server, slots, diary, random, cures: Vec::new(), faketime }
    }

    /// The database's address, past all proxies.
    pub(super) fn url(&self) -> String {
        self.server.url(DATABASE)
    }

    /// Where the participants' files lie.
    pub(super) fn diaries(&self) -> PathBuf {
        self.folder.path().join("diaries")
    }

    /// Keeps the folder with everything that was written, for whoever looks for the cause.
    pub(super) fn keep(self) -> PathBuf {
        let Stage { folder, .. } = self;
        folder.keep()
    }

    /// Waits, then does what the step says.
    pub(super) async fn act(&mut self, step: &Step) {
        self.wait(step.pause).await;
        let index = self.index(step.role, step.slot);
        self.diary.note(What::Fault(format!("{:?} {} {:?}", step.role, step.slot, step.fault)));
        match &step.fault {
            Fault::Kill { told } => {
                let killed = self.replace(index, Vec::new());
                if *told && step.role == Role::Worker {
                    self.release(killed).await;
                }
            }
            Fault::Shift(clock) => {
                let environment = self.shifted(clock);
                self.replace(index, environment);
            }
            Fault::Stop(length) => {
                let process = &self.slots[index].process;
                process.stop();
                self.cure_after(*length, index, Cure::GoOn(process.pid()));
            }
            Fault::CutAll => self.slots[index].proxy.cut_all(),
            Fault::CutOne(number) => self.slots[index].proxy.cut_one(*number),
            Fault::HalfOpen(length) => {
                self.slots[index].proxy.half_open();
                self.cure_after(*length, index, Cure::Cut);
            }
            Fault::Hold { held, length, lost } => {
                self.slots[index].proxy.hold(*held);
                if *lost {
                    self.cure_after(*length, index, Cure::Cut);
                }
                self.cure_after(*length, index, Cure::LetGo);
            }
            Fault::Deaf { number, length } => {
                self.slots[index].proxy.hold_one(*number, Held { up: false, down: true });
                self.cure_after(*length, index, Cure::LetGo);
            }
            Fault::Outage(length) => {
                for index in 0..self.slots.len() {
                    self.slots[index].proxy.hold(Held { up: true, down: true });
                    self.cure_after(*length, index, Cure::LetGo);
                }
            }
            Fault::Restart(how) => {
                self.diary.note(What::Crash);
                tokio::task::block_in_place(|| self.server.restart(*how));
            }
            Fault::Crash => {
                self.diary.note(What::Crash);
                self.server.crash(&mut self.random);
            }
        }
    }

    /// Undoes every fault. Returns the logs of those that had ended by themselves, which nothing should make them do.
    pub(super) fn heal(&mut self) -> Vec<PathBuf> {
        self.cures.clear();
        let mut fallen = Vec::new();
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            slot.proxy.hold(Held::default());
            slot.proxy.cut_all();
            if slot.process.has_ended() {
                fallen.push(log(self.folder.path(), (slot.role, slot.number, slot.incarnation)));
                self.replace(index, Vec::new());
            } else {
                slot.process.go_on();
            }
        }
        fallen
    }

    /// Ends all processes of a role in order; returns the logs of those that would not.
    pub(super) fn end(&mut self, role: Role) -> Vec<PathBuf> {
        let mut stubborn = Vec::new();
        for slot in self.slots.iter_mut().filter(|slot| slot.role == role) {
            let pid = slot.process.pid();
            if !slot.process.end(Duration::from_secs(20)) {
                stubborn.push(log(self.folder.path(), (slot.role, slot.number, slot.incarnation)));
                slot.process.kill();
            }
            self.diary.note(What::Gone { pid });
        }
        stubborn
    }

    fn index(&self, role: Role, number: usize) -> usize {
        let found = self.slots.iter().position(|slot| slot.role == role && slot.number == number);
        found.expect("plans name only what there is")
    }

    fn cure_after(&mut self, length: Duration, index: usize, cure: Cure) {
        self.cures.push((Instant::now() + length, index, cure));
    }

    /// Sleeps, and undoes meanwhile what is to be undone.
    async fn wait(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        loop {
            let next = self.cures.iter().map(|(at, ..)| *at).min().filter(|at| *at <= until);
            tokio::time::sleep_until(next.unwrap_or(until)).await;
            let now = Instant::now();
            let (due, later) = self.cures.drain(..).partition::<Vec<_>, _>(|(at, ..)| *at <= now);
            self.cures = later;
            due.into_iter().for_each(|(_, index, cure)| self.undo(index, cure));
            if next.is_none() {
                return;
            }
        }
    }

    fn undo(&self, index: usize, cure: Cure) {
        let slot = &self.slots[index];
        match cure {
            Cure::GoOn(pid) if slot.process.pid() == pid => slot.process.go_on(),
            Cure::GoOn(_) => {}
            Cure::LetGo => slot.proxy.hold(Held::default()),
            Cure::Cut => slot.proxy.cut_all(),
        }
    }

    /// Kills a process and starts another in its place; returns the number of the one that was killed.
    fn replace(&mut self, index: usize, environment: Vec<(&'static str, OsString)>) -> i32 {
        let slot = &mut self.slots[index];
        let killed = slot.process.pid();
        slot.process.kill();
        self.diary.note(What::Gone { pid: killed });
        slot.incarnation += 1;
        let which = (slot.role, slot.number, slot.incarnation);
        let seed = self.random.below(u64::MAX);
        slot.process = start(&self.server, self.folder.path(), &slot.proxy, which, seed, environment);
        killed
    }

    /// Gives up the leases of a process that is known to be dead, as a supervisor does, if the database can be reached.
    async fn release(&mut self, pid: i32) {
        let Ok(mut conn) = PgConnection::connect(&self.url()).await else { return };
        let Ok(held) = lease::of_pid(&mut conn, 0, pid.unsigned_abs()).await else { return };
        for process in held {
            self.diary.note(What::Released { process });
            // What is not released now, runs out.
            let _ = lease::release(&mut conn, 0, process).await;
        }
    }

    fn shifted(&self, clock: &str) -> Vec<(&'static str, OsString)> {
        let Some(library) = &self.faketime else { return Vec::new() };
        vec![("LD_PRELOAD", library.into()), ("FAKETIME", clock.into())]
    }
}

type Which = (Role, usize, u64);

fn log(folder: &Path, (role, number, incarnation): Which) -> PathBuf {
    folder.join(format!("{}-{number}-{incarnation}.log", role.name()))
}

fn start(
    server: &Server,
    folder: &Path,
    proxy: &Proxy,
    which: Which,
    seed: u64,
    environment: Vec<(&'static str, OsString)>,
) -> Again {
    let (role, number, incarnation) = which;
    let recipe = Recipe {
        role,
        database: &server.url_through(proxy.folder(), DATABASE),
        diary: folder.join(format!("diaries/{}-{number}-{incarnation}", role.name())),
        log: &log(folder, which),
        seed,
        environment,
    };
    recipe.start()
}
