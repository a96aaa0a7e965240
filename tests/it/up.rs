//! `bitnexus up` as a whole: it runs, it stops, and whatever is killed comes back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cli::folder::Folder;
use cli::folder::running::Running;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};
use tests::processes::{Process, Role};
use tests::service::Service;
use tests::wait::until;

/// How long anything may take to come back or go: much longer than it does, for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

fn folder(service: &Service) -> Folder {
    Folder::open(&service.folder().join(".bitnexus")).unwrap()
}

fn running(service: &Service) -> Running {
    Running::find(&folder(service)).expect("an `up` runs there")
}

/// The folder of PostgreSQL's socket, as the database's address has it.
fn socket(service: &Service) -> PathBuf {
    let url = running(service).database_url.expect("it has a private database");
    Path::new(url.split_once("?host=").expect("it is reached over a socket").1).to_owned()
}

fn of_role(service: &Service, role: Role) -> Vec<Process> {
    service.processes().into_iter().filter(|process| process.role == role).collect()
}

/// Waits until the database answers this statement.
async fn query(service: &Service, statement: &'static str) -> String {
    let started = std::time::Instant::now();
    loop {
        let url = running(service).database_url.expect("it has a private database");
        let answer = async {
            let mut connection = PgConnection::connect(&url).await?;
            sqlx::query_scalar::<_, String>(statement).fetch_one(&mut connection).await
        };
        match answer.await {
            Ok(text) => return text,
            Err(error) => assert!(started.elapsed() < PATIENCE, "{error}\n{}", service.log()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the workers' metrics page tells of both slots.
async fn wait_for_both_slots(service: &Service) {
    let url = format!("http://{}/metrics", running(service).metrics);
    let started = std::time::Instant::now();
    loop {
        let page = async { reqwest::get(&url).await?.text().await }.await.unwrap_or_default();
        if ["worker=\"1\"", "worker=\"2\""].iter().all(|label| page.contains(label)) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{page}\n{}", service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn it_answers_and_leaves_nothing_behind() {
    let service = Service::start().await;
    assert_eq!(reqwest::get(format!("{}/livez", service.url)).await.unwrap().status(), 200);
    wait_for_both_slots(&service).await;
    for (role, count) in [(Role::Api, 1), (Role::Supervisor, 1), (Role::Worker, 2), (Role::Postgres, 1)] {
        assert_eq!(of_role(&service, role).len(), count, "{role:?}");
    }
    let (socket, folder) = (socket(&service), folder(&service));
    assert!(socket.join(".s.PGSQL.5432").exists());
    let address = service.url.trim_start_matches("http://").to_owned();
    // The folder goes with the service, but what is checked after the stop does not lie in it.
    let family = std::fs::File::open(folder.path().join("family.lock")).unwrap();
    service.stop();
    assert!(!socket.exists(), "{} was left behind", socket.display());
    family.try_lock().expect("no process is left that holds the lock");
    std::net::TcpListener::bind(address).expect("nobody listens any more");
}

#[tokio::test]
async fn a_second_one_beside_it_says_so_and_leaves_it_alone() {
    let service = Service::start().await;
    let before = running(&service);
    let second = service.command(&["up"]).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("already runs here as process {}", before.pid)), "{said}");
    assert!(said.contains(&before.api.to_string()) && said.contains(&before.metrics.to_string()), "{said}");
    assert_eq!(running(&service).pid, before.pid);
    assert_eq!(reqwest::get(format!("{}/livez", service.url)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn whatever_is_killed_comes_back() {
    let mut service = Service::start().await;
    wait_for_both_slots(&service).await;
    for role in [Role::Worker, Role::Api, Role::Supervisor, Role::Postgres] {
        let killed = of_role(&service, role).remove(0);
        let workers = of_role(&service, Role::Worker);
        assert!(service.kill(&killed));
        until(&format!("another {role:?}"), PATIENCE, || {
            of_role(&service, role).into_iter().find(|process| process.pid != killed.pid)
        })
        .await;
        if role == Role::Supervisor {
            for orphan in &workers {
                until("an orphan to end", PATIENCE, || (!orphan.is_running()).then_some(())).await;
            }
        }
        assert_eq!(query(&service, "select 'here'").await, "here");
        service.wait_until_ready().await;
        wait_for_both_slots(&service).await;
    }
    service.stop();
}

#[tokio::test]
async fn killed_itself_its_roles_end_and_the_next_one_goes_on() {
    let mut service = Service::start().await;
    wait_for_both_slots(&service).await;
    let mark = "create table mark as select 'kept'::text as word";
    let mut connection = PgConnection::connect(&running(&service).database_url.unwrap()).await.unwrap();
    sqlx::raw_sql(mark).execute(&mut connection).await.unwrap();
    let before = service.processes();
    let up = before.iter().find(|process| process.role == Role::Up).unwrap();
    service.kill(up);
    // PostgreSQL waits for connections that are open, such as ours; its next one ends it.
    for process in before.iter().filter(|process| !matches!(process.role, Role::Postgres | Role::Other)) {
        until(&format!("{process:?} to end"), PATIENCE, || (!process.is_running()).then_some(())).await;
    }
    service.start_again_if_ended();
    service.wait_until_ready().await;
    assert_eq!(query(&service, "select word from mark").await, "kept");
    connection.ping().await.expect_err("it was a connection to the PostgreSQL that was left behind");
    service.stop();
}

#[tokio::test]
async fn all_killed_at_once_the_next_one_goes_on_at_once() {
    let mut service = Service::start().await;
    // PostgreSQL's own processes are left to find out for themselves.
    for process in service.processes().into_iter().filter(|process| process.role != Role::Other) {
        service.kill(&process);
    }
    service.start_again_if_ended();
    service.wait_until_ready().await;
    wait_for_both_slots(&service).await;
    assert_eq!(query(&service, "select 'here'").await, "here");
    service.stop();
}

/// A process of PostgreSQL's that serves a connection, stopped: it never finds out that the first one is gone.
fn stop_a_backend(service: &Service) -> Process {
    let backends = service.processes().into_iter().filter(|process| process.role == Role::Other);
    let of_a_client = |process: &Process| {
        let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        arguments.starts_with("postgres: bitnexus_app ")
    };
    let backend = backends.into_iter().find(of_a_client).expect("api and workers have connections");
    signal(&backend, Signal::STOP);
    backend
}

#[tokio::test]
async fn a_backend_that_outlives_its_postgresql_is_not_in_the_way_of_the_next() {
    let mut service = Service::start().await;
    wait_for_both_slots(&service).await;
    let (stuck, first) = (stop_a_backend(&service), of_role(&service, Role::Postgres).remove(0));
    assert!(service.kill(&first));
    assert_eq!(query(&service, "select 'here'").await, "here");
    service.wait_until_ready().await;
    assert!(!stuck.is_running());
    let log = service.log();
    assert!(log.contains(&format!("{}", stuck.pid)) && log.contains("whose first one is gone"), "{log}");
    service.stop();
}

#[tokio::test]
async fn a_backend_that_outlives_all_is_ended_by_the_next_up() {
    let mut service = Service::start().await;
    wait_for_both_slots(&service).await;
    let stuck = stop_a_backend(&service);
    for process in service.processes().into_iter().filter(|process| process.role != Role::Other) {
        service.kill(&process);
    }
    service.start_again_if_ended();
    service.wait_until_ready().await;
    assert!(!stuck.is_running());
    assert_eq!(query(&service, "select 'here'").await, "here");
    service.stop();
}

#[tokio::test]
async fn why_postgresql_does_not_start_is_told_and_it_comes_back_once_that_is_mended() {
    let mut service = Service::start().await;
    wait_for_both_slots(&service).await;
    let first = of_role(&service, Role::Postgres).remove(0);
    let data = std::fs::read_link(format!("/proc/{}/cwd", first.pid)).unwrap();
    let settings = data.join("postgresql.auto.conf");
    let before = std::fs::read(&settings).unwrap();
    std::fs::write(&settings, "no setting at all\n").unwrap();
    assert!(service.kill(&first));
    let why = "postgresql.auto.conf\\\" contains errors";
    let told = || service.log().lines().any(|line| line.contains("says why") && line.contains(why)).then_some(());
    until("the log to say why", PATIENCE, told).await;
    let mut doctor = std::process::Command::new(tests::binary::path());
    doctor.args(["doctor", "--dir"]).arg(folder(&service).path()).env_remove("DATABASE_URL");
    let said = doctor.output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("server.does_not_start") && said.contains("contains errors"), "{said}");
    std::fs::write(&settings, before).unwrap();
    assert_eq!(query(&service, "select 'here'").await, "here");
    service.wait_until_ready().await;
    service.stop();
}

#[tokio::test]
async fn a_leftover_that_does_not_end_is_waited_for_and_named() {
    let mut service = Service::start().await;
    wait_for_both_slots(&service).await;
    let (stopped, before) = (of_role(&service, Role::Worker).remove(0), service.processes());
    // A stopped process neither sees the kernel's signal nor the end of its lifeline.
    signal(&stopped, Signal::STOP);
    service.kill(before.iter().find(|process| process.role == Role::Up).unwrap());
    service.start_again_if_ended();
    let told = "waiting for processes of an earlier `bitnexus up` to end";
    until("the next one to tell", PATIENCE, || service.log().contains(told).then_some(())).await;
    let named = format!("{} (bitnexus)", stopped.pid);
    until("the leftover to be named", PATIENCE, || service.log().contains(&named).then_some(())).await;
    assert!(of_role(&service, Role::Postgres).is_empty(), "nothing is started beside a leftover");
    signal(&stopped, Signal::KILL);
    service.wait_until_ready().await;
    service.stop();
}

fn signal(process: &Process, signal: Signal) {
    kill_process(Pid::from_raw(process.pid.cast_signed()).unwrap(), signal).unwrap();
}
