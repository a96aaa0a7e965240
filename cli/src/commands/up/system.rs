//! The processes of `up`: brought up one after the other, watched, and stopped in the reverse order.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};
use workers::supervisor::policy::Policy;
use workers::supervisor::report::Event;
use workers::supervisor::{ChildSpec, Kept, Supervisor};

use super::{UpArgs, banner, setup};
use crate::ask::ask;
use crate::folder::Folder;
use crate::folder::running::Running;
use crate::postgres::private::{CHILD, Private};
use crate::telemetry::TelemetryArgs;
use crate::{config, keys};

/// How often to look whether a child is ready.
const POLL: Duration = Duration::from_millis(10);

/// How long the api may take to answer its first request.
const API_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a child may die before it is ready for the first time. PostgreSQL needs some tries while the last one's
/// processes end: with the pauses between them these are more than ten seconds.
const DEATHS_BEFORE_READY_MAX: u32 = 8;

/// The processes, as far as they have been started.
pub(super) struct System {
    args: UpArgs,
    telemetry: TelemetryArgs,
    folder: Folder,
    program: PathBuf,
    supervisor: Supervisor,
    events: UnboundedReceiver<Event>,
    private: Option<Private>,
    /// In the order they were started in.
    kept: Vec<Kept>,
    given_up: bool,
}

impl System {
    /// Nothing started yet.
    pub(super) fn new(args: &UpArgs, telemetry: &TelemetryArgs, folder: Folder) -> Result<System> {
        let (supervisor, events) = Supervisor::new(Policy::default());
        let program = std::env::current_exe().context("finding this program")?;
        let (args, telemetry) = (args.clone(), telemetry.clone());
        Ok(System {
            args,
            telemetry,
            folder,
            program,
            supervisor,
            events,
            private: None,
            kept: Vec::new(),
            given_up: false,
        })
    }

    /// Brings everything up, then watches until the supervisor gives up.
    ///
    /// # Errors
    /// When something does not come up.
    pub(super) async fn run(&mut self, running: Running) -> Result<()> {
        keys::make_if_missing(&self.folder)?;
        let url = self.start_database().await?;
        let admin_key = setup::prepare_database(&url).await?;
        let database_url = self.private.is_some().then(|| url.clone());
        Running { database_url, ..running }.tell(&self.folder)?;
        let service_url = match &self.private {
            Some(private) => {
                setup::make_service_login(&url).await?;
                private.service_url()
            }
            // Whose address it is, an administrator decides: see "Grants" in docs/LEDGER.md.
            None => url,
        };
        self.start_api(&service_url);
        self.start_worker(&service_url);
        self.wait_for_api().await?;
        banner::print(&self.args, self.private.as_ref(), admin_key.as_deref());
        self.watch().await;
        Ok(())
    }

    /// Waits until the supervisor gives up. What happens to a child it has logged itself, save for why PostgreSQL ended.
    async fn watch(&mut self) {
        while !self.given_up {
            let event = self.events.recv().await;
            self.given_up = matches!(event, Some(Event::GivenUp { .. }) | None);
            // One that a signal ended has had no last word.
            let Some(Event::Ended(exit)) = event else { continue };
            if let Some(private) = self.private.as_ref().filter(|_| exit.name == CHILD && exit.status.code().is_some())
                && let Some(words) = private.last_words()
            {
                tracing::error!(log = %private.log().display(), words, "PostgreSQL has ended, and says why");
            }
        }
    }

    /// Whether a child died again and again.
    pub(super) fn has_given_up(&self) -> bool {
        self.given_up
    }

    /// Stops what was started, the last first, each when the one before is gone.
    pub(super) async fn stop(&mut self) {
        // The api before the workers, the workers before the database.
        let database = usize::from(self.private.is_some() && !self.kept.is_empty());
        for kept in self.kept.split_off(database) {
            kept.stop().await;
        }
        for kept in self.kept.drain(..) {
            kept.stop().await;
        }
        if let Some(private) = &self.private {
            private.clean_up();
        }
    }

    /// The address of the database: the one that was given, or that of a private one, which then runs.
    async fn start_database(&mut self) -> Result<String> {
        if let Some(url) = config::given(self.args.database_url.as_deref()) {
            config::options(url)?;
            return Ok(url.to_owned());
        }
        let private = Private::prepare(&self.folder, self.args.fetch)?;
        let (url, spec) = (private.url(), private.spec());
        self.private = Some(private.clone());
        self.kept.push(self.supervisor.keep(spec));
        self.wait_for_postgres(&private).await?;
        setup::create_database(&private).await?;
        Ok(url)
    }

    /// Waits until PostgreSQL accepts connections: however long recovery takes, but not for one that keeps dying.
    async fn wait_for_postgres(&mut self, private: &Private) -> Result<()> {
        let (mut pid, mut deaths) = (None, 0);
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(Event::Started { pid: started, .. }) => pid = Some(started),
                    _ => deaths += 1,
                },
                () = sleep(POLL) => {}
            }
            if pid.is_some_and(|pid| private.is_ready(pid)) {
                return Ok(());
            }
            if deaths >= DEATHS_BEFORE_READY_MAX {
                bail!("PostgreSQL does not start; the end of {}:\n{}", private.log().display(), private.log_tail());
            }
        }
    }

    fn start_api(&mut self, url: &str) {
        let time = self.args.shutdown.timeout() / 4;
        let mut command = self.template("api", url, time);
        command.push(("API_LISTEN", self.args.api_listen.to_string()));
        if let Some((certificate, key)) = self.args.tls.files() {
            command.push(("API_TLS_CERT", certificate.display().to_string()));
            command.push(("API_TLS_KEY", key.display().to_string()));
        }
        self.keep("api", time + Duration::from_millis(500), command);
    }

    fn start_worker(&mut self, url: &str) {
        let time = self.args.shutdown.timeout() / 2;
        let mut command = self.template("worker", url, time);
        command.push(("METRICS_LISTEN", self.args.metrics_listen.to_string()));
        command.push(("WORKER_PROCESSES", self.args.processes.to_string()));
        command.push(("WORKER_CONCURRENCY", self.args.concurrency.to_string()));
        self.keep("worker", time + Duration::from_secs(1), command);
    }

    /// Keeps a role of this program running.
    fn keep(&mut self, role: &'static str, grace: Duration, variables: Vec<(&'static str, String)>) {
        let (program, telemetry) = (self.program.clone(), self.telemetry.clone());
        let command = move || {
            let mut command = Command::new(&program);
            command.arg(role).envs(variables.iter().map(|(name, value)| (name, value)));
            telemetry.pass_on(&mut command);
            command
        };
        self.kept.push(self.supervisor.keep(ChildSpec { grace, ..ChildSpec::new(role, command) }));
    }

    /// The environment of every role.
    fn template(&self, _role: &str, url: &str, time: Duration) -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_URL", url.to_owned()),
            ("LEDGER_SIGNING_KEY_FILE", self.folder.signing_key().display().to_string()),
            ("SHUTDOWN_TIMEOUT", time.as_secs_f64().to_string()),
        ]
    }

    /// Waits until the api answers; what keeps it from that it has logged itself.
    async fn wait_for_api(&mut self) -> Result<()> {
        let certificate = self.args.tls.files().map(|(certificate, _key)| certificate);
        let mut error = None;
        let answer = async {
            while let Err(refused) = ask(self.args.api_listen, "/livez", certificate).await {
                error = Some(refused);
                sleep(POLL).await;
            }
        };
        if timeout(API_TIMEOUT, answer).await.is_ok() {
            return Ok(());
        }
        let error = error.map(|error| format!(" ({error:#})")).unwrap_or_default();
        bail!("the api did not answer within {API_TIMEOUT:?}{error}; what it logged is above")
    }
}
