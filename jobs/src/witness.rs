//! Witnesses that sign for our log, and asking them: the other side of C2SP tlog-witness.
//!
//! A witness is named by whoever runs the service, so it may be anywhere; but it is not believed. An answer has 5 s and the
//! 4,096 bytes of [`Client`], and a signature counts once it has been checked. No connection to the database is held meanwhile.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use domain::webhooks::reach::Reach;
use hyper::header::{self, HeaderName, HeaderValue};
use ledger::Book;
use ledger::checkpoint::note::Body;
use ledger::checkpoint::{self, Checkpoint};
use ledger::log::{self, LogError};
use ledger::witness::AddCheckpoint;
use ledger::witness::cosignature::CosignatureKey;
use sqlx::PgPool;
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::webhooks::client::{Answer, Client, SendError};

/// How long a witness may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often it is tried with the size that the witness says it has: somebody else may be asking at the same time.
const TRIES_MAX: u32 = 3;

/// One that is away is asked again after 1 s, 2 s, and so on up to 2^8 s.
const DOUBLINGS_MAX: u32 = 8;

const HEADERS: [(HeaderName, HeaderValue); 2] = [
    (header::USER_AGENT, HeaderValue::from_static(concat!("bitnexus-ledger/", env!("CARGO_PKG_VERSION")))),
    (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
];

/// Who a witness is, and where: its key, an `@`, and its address without `/add-checkpoint`. A key has two `+`, then base64, so
/// that the first `@` after them ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    key: CosignatureKey,
    url: String,
}

/// Why a text is no [`Place`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// There is no address behind the key.
    #[error("it is no key with an address, such as `witness.example/w1+0123abcd+BASE64@https://witness.example`")]
    Malformed,
    /// The key is none.
    #[error("its key is none of a witness: {0}")]
    Key(ledger::keys::KeyError),
    /// The address is none.
    #[error("its address {0}")]
    Url(String),
}

impl Place {
    /// The witness of this key at this address.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(key: CosignatureKey, url: &str) -> Result<Place, PlaceError> {
        let url = url.trim_end_matches('/').to_owned();
        Reach::everywhere().check(&url).map_err(|error| PlaceError::Url(error.detail))?;
        Ok(Place { key, url })
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Place, PlaceError> {
        let base64 = text.match_indices('+').nth(1).map(|(place, _)| place).ok_or(PlaceError::Malformed)?;
        let at = text[base64..].find('@').ok_or(PlaceError::Malformed)?;
        let (key, url) = (&text[..base64 + at], &text[base64 + at + 1..]);
        Place::new(CosignatureKey::parse(key).map_err(PlaceError::Key)?, url)
    }
}

/// As it is read.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.key.to_text(), self.url)
    }
}

/// A witness, and how it was when it was asked last.
#[derive(Debug)]
pub struct Witness {
    place: Place,
    client: Client,
    away: Mutex<Option<Away>>,
}

/// Of a witness that did not sign.
#[derive(Debug, Clone, Copy)]
struct Away {
    /// How often, one after the other.
    times: u32,
    /// When it may be asked again.
    until: Instant,
}

/// Why a witness did not sign.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// What the database has does not follow from the checkpoint, so there is nothing to show a witness.
    #[error(transparent)]
    Log(LogError),
    /// There was no answer, or one that says that it is not able.
    #[error("the witness cannot be reached: {0}")]
    Unreachable(String),
    /// It does not sign, or what it answers is no signature of its own.
    #[error("the witness refused: {0}")]
    Refused(String),
    /// It has signed for another log than this one.
    #[error("this log was forked or rolled back: {0}")]
    Forked(String),
}

impl AskError {
    /// Its name as an outcome. A log that does not follow from its own checkpoint is one that was changed, too.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            AskError::Database(_) | AskError::Unreachable(_) => "unreachable",
            AskError::Refused(_) => "refused",
            AskError::Forked(_) | AskError::Log(_) => "forked",
        }
    }
}

impl From<LogError> for AskError {
    fn from(error: LogError) -> AskError {
        match error {
            LogError::Database(error) => AskError::Database(error),
            error => AskError::Log(error),
        }
    }
}

impl From<SendError> for AskError {
    fn from(error: SendError) -> AskError {
        AskError::Unreachable(error.to_string())
    }
}

/// Witnesses, each with a key of its own.
#[derive(Debug)]
pub struct Witnesses(Vec<Witness>);

impl Witnesses {
    /// These witnesses, whose certificates may be from these authorities, too; none if the list is empty.
    ///
    /// # Errors
    /// With the key that two of them have.
    pub fn new(places: Vec<Place>, authorities: Vec<CertificateDer<'static>>) -> Result<Option<Witnesses>, String> {
        for (index, place) in places.iter().enumerate() {
            if places[..index].iter().any(|other| other.key == place.key) {
                return Err(place.key.to_text());
            }
        }
        let client = (!places.is_empty()).then(|| client(authorities));
        Ok(client.map(|client| Witnesses(places.into_iter().map(|place| Witness::by(client.clone(), place)).collect())))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Witness> {
        self.0.iter()
    }
}

fn client(authorities: Vec<CertificateDer<'static>>) -> Client {
    Client::new(Reach::everywhere(), authorities).timeout(TIMEOUT)
}

impl Witness {
    /// The witness at this place, whose certificate may be from one of these authorities, too.
    pub fn at(place: Place, authorities: Vec<CertificateDer<'static>>) -> Witness {
        Witness::by(client(authorities), place)
    }

    fn by(client: Client, place: Place) -> Witness {
        Witness { place, client, away: Mutex::new(None) }
    }

    pub(crate) fn key(&self) -> &CosignatureKey {
        &self.place.key
    }

    /// Has it sign the book's last checkpoint, from the size that it may have signed for before. Answers with the checkpoint,
    /// which is a later one if somebody had it sign that meanwhile, and the line of the signature.
    ///
    /// # Errors
    /// When it does not sign, or the database fails.
    pub async fn ask(
        &self,
        pool: &PgPool,
        book: Book,
        mut last: Checkpoint,
        mut old: u64,
    ) -> Result<(Checkpoint, String), AskError> {
        for _ in 0..TRIES_MAX {
            let request = request(pool, book, &last, old).await?;
            let url = format!("{}/add-checkpoint", self.place.url);
            let answer = self.client.post(&url, &HEADERS, request).await?;
            let size = match answer.status {
                200 => return self.line(&last, &answer.body).map(|line| (last, line)),
                409 => said(&answer)?,
                _ => return Err(refusal(&answer)),
            };
            if size == old {
                return Err(AskError::Forked(format!("the witness knows another log of {old} leaves")));
            }
            if size > last.size as u64 {
                last = checkpoint::latest(&mut *pool.acquire().await?, book).await?.unwrap_or(last);
            }
            if size > last.size as u64 {
                let why = format!("the witness has signed for {size} leaves, the last checkpoint is of {}", last.size);
                return Err(AskError::Forked(why));
            }
            old = size;
        }
        Err(AskError::Refused("it has another size each time".to_owned()))
    }

    /// Its own line among those of the answer.
    fn line(&self, of: &Checkpoint, lines: &str) -> Result<String, AskError> {
        let body = Body::read(&of.note).ok_or(AskError::Log(LogError::Damaged))?;
        let is_own = |line: &&str| self.key().time_of(&body, line).is_some();
        let line = lines.lines().find(is_own).map(str::to_owned);
        line.ok_or_else(|| AskError::Refused("it answered with a signature that is not its own".to_owned()))
    }

    /// Whether it may be asked: it answered when it was asked last, or that is long enough ago.
    pub(crate) fn is_due(&self) -> bool {
        self.away().is_none_or(|away| away.until <= Instant::now())
    }

    /// It has signed.
    pub(crate) fn answered(&self) {
        *self.away() = None;
    }

    /// It has not; answers when it may be asked again.
    pub(crate) fn failed(&self) -> Duration {
        let mut away = self.away();
        let times = away.map_or(0, |away| away.times);
        let pause = Duration::from_secs(1 << times.min(DOUBLINGS_MAX));
        *away = Some(Away { times: times.saturating_add(1), until: Instant::now() + pause });
        pause
    }

    fn away(&self) -> std::sync::MutexGuard<'_, Option<Away>> {
        self.away.lock().expect("nobody panics who holds it")
    }
}

/// By the name of its key.
impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.place.key.name())
    }
}

/// The request from a size on.
async fn request(pool: &PgPool, book: Book, last: &Checkpoint, old: u64) -> Result<String, AskError> {
    let proof = match old {
        0 => Vec::new(),
        old => log::consistency(&mut *pool.acquire().await?, book, old, last.size as u64).await?.hashes,
    };
    let request = AddCheckpoint::new(old, proof, &last.note).map_err(|_| AskError::Log(LogError::Damaged))?;
    Ok(request.to_text())
}

/// The size that it says it has.
fn said(answer: &Answer) -> Result<u64, AskError> {
    let size = answer.body.trim().parse();
    size.map_err(|_| AskError::Refused("it answered with a size that is none".to_owned()))
}

/// What an answer without a signature or a size says.
fn refusal(answer: &Answer) -> AskError {
    let words: String = answer.body.chars().take(200).collect();
    let said = format!("{} {}", answer.status, words.trim().escape_debug());
    match answer.status {
        422 => AskError::Forked(format!("what the witness has signed for is not the beginning of it: {said}")),
        408 | 429 | 500.. => AskError::Unreachable(said),
        _ => AskError::Refused(said),
    }
}

#[cfg(test)]
mod tests {
    use ledger::witness::cosignature::CosignerKey;

    use super::*;

    #[test]
    fn a_place_reads_back_and_what_is_none_is_refused() {
        // With a name that has an `@`, and a key whose base64 has a plus.
        let plus = |seed: &u8| CosignerKey::from_seed("a@b.example/w1", &[*seed; 32]).unwrap().verifier().to_text();
        let key = (0..).find(|seed| plus(seed).matches('+').count() > 2).map(|seed| plus(&seed)).unwrap();
        let text = format!("{key}@https://witness.example/path@x");
        assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        assert_eq!(format!("{text}/").parse::<Place>().unwrap().to_string(), text);
        let place = |text: &str| text.parse::<Place>().unwrap_err();
        for malformed in ["", "a", "a+b", "a+b+c", &key] {
            assert_eq!(place(malformed), PlaceError::Malformed, "{malformed}");
        }
        assert!(matches!(place(&text.replacen('+', "x+", 1)), PlaceError::Key(_)));
        assert!(matches!(place(&format!("{key}@ftp://witness.example")), PlaceError::Url(_)));
    }

    #[test]
    fn two_witnesses_have_two_keys() {
        let place = |seed| {
            let key = CosignerKey::from_seed("w.example", &[seed; 32]).unwrap().verifier();
            Place::new(key, "http://127.0.0.1:1").unwrap()
        };
        assert!(Witnesses::new(Vec::new(), Vec::new()).unwrap().is_none());
        assert_eq!(Witnesses::new(vec![place(1), place(2)], Vec::new()).unwrap().unwrap().iter().count(), 2);
        assert_eq!(Witnesses::new(vec![place(1), place(2), place(1)], Vec::new()).unwrap_err(), place(1).key.to_text());
    }

    #[test]
    fn one_that_is_away_is_asked_later_each_time() {
        let key = CosignerKey::from_seed("w.example", &[1; 32]).unwrap().verifier();
        let witness = Witness::at(Place::new(key, "http://127.0.0.1:1").unwrap(), Vec::new());
        assert!(witness.is_due());
        let pauses: Vec<u64> = (0..10).map(|_| witness.failed().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256]);
        assert!(!witness.is_due());
        witness.answered();
        assert!(witness.is_due());
    }
}
