//! The HTTP client of the import: one call at a time until it has an answer, through restarts of the other side.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jobs::webhooks::client::tls;
use reqwest::{Method, StatusCode, Url, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::wire::Problem;

/// How long the first call keeps trying, unless told: a wrong address should be told at once, a starting service waited for.
const FIRST_CALL_GIVES_UP_AFTER: Duration = Duration::from_secs(5);
/// How long the others do, unless told.
const GIVES_UP_AFTER: Duration = Duration::from_secs(600);
/// The pause after the first failure; doubled with each that follows.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause, whatever `Retry-After` asks for.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one API with one key.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: String,
    give_up_after: Option<Duration>,
}

/// An answer that trying again would not change.
#[derive(Debug)]
pub struct Answer {
    /// Its status: 2xx, or 4xx other than 408 and 429.
    pub status: StatusCode,
    body: Vec<u8>,
}

impl Client {
    /// A client of the API at `api`, such as `http://127.0.0.1:4000`, that tries each call for `give_up_after`, if that is given.
    /// By https, the API's certificate may be from one of these authorities, too.
    ///
    /// # Errors
    /// When the address or the key cannot be one.
    pub fn new(
        api: &str,
        authorities: Vec<CertificateDer<'static>>,
        key: &str,
        give_up_after: Option<Duration>,
    ) -> Result<Client> {
        let base = base(api)?;
        ensure!(
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()),
            "the key is empty or has characters that no key has"
        );
        let http = reqwest::Client::builder().use_preconfigured_tls(tls(authorities)).no_proxy();
        let http = http.timeout(ATTEMPT_TIMEOUT).build().context("HTTP client")?;
        Ok(Client { http, base, key: key.to_owned(), give_up_after })
    }

    /// How long a call, or a wait for the workers, goes on without any progress.
    pub fn give_up_after(&self) -> Duration {
        self.give_up_after.unwrap_or(GIVES_UP_AFTER)
    }

    /// Makes sure that the API is there and that the key may create users.
    ///
    /// # Errors
    /// When it is not reached, is something else, or refuses the key: one line that says which.
    pub async fn greet(&self) -> Result<()> {
        let patience = self.give_up_after.unwrap_or(FIRST_CALL_GIVES_UP_AFTER);
        let answer = self.call(Method::GET, "users?limit=1", None, patience).await?;
        match answer.status {
            StatusCode::OK if serde_json::from_slice::<Value>(&answer.body).is_ok_and(|body| body.is_object()) => {
                Ok(())
            }
            StatusCode::UNAUTHORIZED => bail!("{} does not know this key", self.base),
            StatusCode::FORBIDDEN => bail!("the key may not import: it has to be an administrator's"),
            status => bail!("there is no BitNexus API at {}: it answered {status}", self.base),
        }
    }

    /// Gets what is at `path`, below `/api/v1/`.
    ///
    /// # Errors
    /// When there is no answer in time, or it is not a 200 with this content.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.call(Method::GET, path, None, self.give_up_after()).await?;
        ensure!(answer.status == StatusCode::OK, "GET {path}: {}", answer.describe());
        answer.json().with_context(|| format!("GET {path}"))
    }

    /// Posts `body` to `path`, below `/api/v1/`. Safe to repeat only where the API tells a repetition, which it does
    /// for all that is posted here: by e-mail, stock code or reference.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.call(Method::POST, path, Some(body), self.give_up_after()).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>, patience: Duration) -> Result<Answer> {
        let started = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            let (trouble, asked) = match self.attempt(method.clone(), path, body).await {
                Ok(Attempt::Answer(answer)) => return Ok(answer),
                Ok(Attempt::Later { status, after }) => (format!("it answered {status}"), after),
                Err(error) => (root_cause(&error), None),
            };
            let wait = asked.unwrap_or(pause).clamp(PAUSE_MIN, PAUSE_MAX);
            if started.elapsed() + wait > patience {
                bail!("no answer from {} after trying for {} s: {trouble}", self.base, patience.as_secs());
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn attempt(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Attempt> {
        let url = format!("{}api/v1/{path}", self.base);
        let mut request = self.http.request(method, url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        if status.is_server_error() || later.contains(&status) {
            let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            return Ok(Attempt::Later { status, after: after.map(Duration::from_secs) });
        }
        // An answer cut off in its middle is an error here, and the call is made again.
        Ok(Attempt::Answer(Answer { status, body: response.bytes().await?.to_vec() }))
    }
}

/// What one attempt came to, when it came to an answer.
enum Attempt {
    Answer(Answer),
    Later { status: StatusCode, after: Option<Duration> },
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).context("the answer is not the JSON that this version expects")
    }

    /// The body as a problem; an empty one if it is something else.
    pub fn problem(&self) -> Problem {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Status, code and detail in one line.
    pub fn describe(&self) -> String {
        let problem = self.problem();
        let errors: Vec<String> =
            problem.errors.iter().map(|error| format!(" {}: {}", error.pointer, error.detail)).collect();
        format!("{} {} {}{}", self.status, problem.code, problem.detail, errors.join(";"))
    }
}

/// The root of the service, ending in a slash; a trailing `/api/v1` is forgiven.
fn base(api: &str) -> Result<Url> {
    let root = api.trim_end_matches('/');
    let root = root.strip_suffix("/api/v1").unwrap_or(root);
    let url = Url::parse(&format!("{root}/"))
        .with_context(|| format!("--api {api} is not an address such as http://127.0.0.1:4000"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => bail!("--api {api}: {other} is neither http nor https"),
    }
}

/// The innermost error: what the operating system said, without the layers around it.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_and_its_tail_forgiven() {
        for api in ["http://h:1", "http://h:1/", "http://h:1/api/v1", "http://h:1/api/v1/"] {
            assert_eq!(base(api).unwrap().as_str(), "http://h:1/");
        }
        assert_eq!(base("https://h").unwrap().as_str(), "https://h/");
        assert!(base("ftp://h").unwrap_err().to_string().contains("neither http nor https"));
        assert!(base("127.0.0.1:4000").is_err());
        assert!(base("").is_err());
    }
}
