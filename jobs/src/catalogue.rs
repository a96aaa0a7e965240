//! Every kind of job by name, for those who look at them and those who enqueue by hand: its policy, and the JSON Schema of its payload,
//! made from its type.

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use queue::{BatchJob, EnqueueError, Job, NewJob};
use schemars::JsonSchema;
use serde_json::Value;

/// A kind of job.
#[derive(Debug)]
pub struct Kind {
    /// Its name, such as `products.categorize`.
    pub name: &'static str,
    /// What it does.
    pub about: String,
    /// The queue that it goes to.
    pub queue: &'static str,
    /// 0 to 99, the smaller runs first.
    pub priority: i16,
    /// How many attempts a job has.
    pub max_attempts: u16,
    /// How long an attempt may go without a sign of life.
    pub timeout: Duration,
    /// How many jobs run as one; 1 for a kind that runs one at a time.
    pub batch_max: usize,
    /// What a payload has to be, as JSON Schema (2020-12).
    pub schema: Value,
    /// A payload, which does no harm.
    pub example: Value,
    /// Whether the user who caused a job may cancel it. What was promised to somebody is done: cancelling the recording of a transaction
    /// would leave it pending.
    pub is_cancellable: bool,
    validator: OnceLock<Validator>,
    make: fn(&Value) -> Result<NewJob, EnqueueError>,
}

/// Something wrong with a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Where, as a JSON Pointer into the payload.
    pub pointer: String,
    /// The rule it breaks, in snake case.
    pub code: &'static str,
    /// The same for a person.
    pub detail: String,
}

/// Every kind, in alphabetical order.
pub fn catalogue() -> &'static [Kind] {
    static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
        let mut kinds = vec![
            Kind::batch::<crate::record_transaction::RecordTransaction>(),
            Kind::of::<crate::open_wallets::OpenWallets>(),
            Kind::of::<crate::categorize::Categorize>().cancellable(),
            Kind::of::<crate::erase_user::EraseUser>(),
            Kind::of::<crate::publish_checkpoint::PublishCheckpoint>(),
            Kind::of::<crate::cosign::Cosign>(),
            Kind::of::<crate::expire_holds::ExpireHolds>(),
            Kind::of::<crate::reconcile::Reconcile>().cancellable(),
            Kind::of::<crate::mirror_to_erlang::MirrorToErlang>(),
            Kind::of::<crate::import_users::ImportUsers>().cancellable(),
            Kind::of::<crate::import_products::ImportProducts>().cancellable(),
            Kind::of::<crate::sweep_imports::SweepImports>(),
            Kind::of::<crate::keep_events::KeepEvents>(),
            Kind::of::<crate::retention::Retention>(),
            Kind::of::<crate::process_users::ProcessUsers>().cancellable(),
            Kind::of::<crate::reindex::Reindex>().cancellable(),
            Kind::of::<crate::deliver_webhook::DeliverWebhook>(),
            Kind::of::<crate::replay_webhooks::ReplayWebhooks>().cancellable(),
            Kind::of::<crate::sweep_webhooks::SweepWebhooks>(),
        ];
        kinds.sort_unstable_by_key(|kind| kind.name);
        kinds
    });
    &KINDS
}

/// The kind of this name.
pub fn find(name: &str) -> Option<&'static Kind> {
    catalogue().iter().find(|kind| kind.name == name)
}

impl Kind {
    fn of<J: Job + JsonSchema>() -> Kind {
        let make = |payload: &Value| NewJob::of(&serde_json::from_value::<J>(payload.clone())?);
        let policy = (J::PRIORITY.rank(), J::RETRY.attempts(), J::TIMEOUT, 1);
        Kind::new::<J>(J::KIND, J::QUEUE, policy, make)
    }

    fn batch<J: BatchJob + JsonSchema>() -> Kind {
        let make = |payload: &Value| NewJob::batch(&serde_json::from_value::<J>(payload.clone())?);
        let policy = (J::PRIORITY.rank(), J::RETRY.attempts(), J::TIMEOUT, J::BATCH_MAX);
        Kind::new::<J>(J::KIND, J::QUEUE, policy, make)
    }

    fn new<J: JsonSchema>(
        name: &'static str,
        queue: &'static str,
        (priority, max_attempts, timeout, batch_max): (i16, u16, Duration, usize),
        make: fn(&Value) -> Result<NewJob, EnqueueError>,
    ) -> Kind {
        let schema = schemars::schema_for!(J).to_value();
        let (about, example) = (schema["description"].as_str().unwrap_or_default(), schema["examples"][0].clone());
        Kind {
            name,
            about: about.to_owned(),
            queue,
            priority,
            max_attempts,
            timeout,
            batch_max,
            schema,
            example,
            is_cancellable: false,
            validator: OnceLock::new(),
            make,
        }
    }

    fn cancellable(self) -> Kind {
        Kind { is_cancellable: true, ..self }
    }

    /// What is wrong with a payload by the schema, all of it.
    pub fn check(&self, payload: &Value) -> Vec<Wrong> {
        self.validator().iter_errors(payload).flat_map(|error| wrongs(&error)).collect()
    }

    /// Compiled when it is first asked for: most processes never ask, and it takes memory.
    fn validator(&self) -> &Validator {
        self.validator.get_or_init(|| {
            let validator = jsonschema::options().should_validate_formats(true).build(&self.schema);
            validator.unwrap_or_else(|error| panic!("the schema of {} is none: {error}", self.name))
        })
    }

    /// A job of this payload, by the kind's policy.
    ///
    /// # Errors
    /// [`EnqueueError::Payload`] for a payload that passes the schema and is none all the same, such as a number that is too large; that
    /// of [`NewJob::of`].
    pub fn job(&self, payload: &Value) -> Result<NewJob, EnqueueError> {
        (self.make)(payload)
    }
}

/// One error of the validator, under the pointers of the members that it is about.
fn wrongs(error: &jsonschema::ValidationError<'_>) -> Vec<Wrong> {
    let at = error.instance_path.to_string();
    let member = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    match &error.kind {
        ValidationErrorKind::Required { property } => {
            let pointer = member(property.as_str().unwrap_or_default());
            vec![Wrong { pointer, code: "required", detail: "this field is required".to_owned() }]
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let unknown = |name: &String| Wrong {
                pointer: member(name),
                code: "unknown_field",
                detail: "there is no such field".to_owned(),
            };
            unexpected.iter().map(unknown).collect()
        }
        kind => {
            let code = match kind {
                ValidationErrorKind::Type { .. } => "wrong_type",
                ValidationErrorKind::Format { .. } => "invalid_format",
                ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => "out_of_range",
                _ => "invalid",
            };
            vec![Wrong { pointer: at, code, detail: error.to_string() }]
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger::keys::SigningKey;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_that_runs_is_in_the_catalogue_with_an_example_that_fits() {
        let key = SigningKey::generate("test.example/main").unwrap();
        let runs = crate::registry(crate::State::of_key(key)).kinds();
        let listed: Vec<&str> = catalogue().iter().map(|kind| kind.name).collect();
        assert_eq!(listed, runs);
        for kind in catalogue() {
            assert!(!kind.about.is_empty() && kind.example.is_object(), "{kind:?}");
            assert_eq!(kind.check(&kind.example), [], "{}", kind.name);
            assert_eq!(kind.job(&kind.example).unwrap().kind, kind.name);
            assert_eq!(kind.schema["additionalProperties"], false, "{}", kind.name);
        }
    }

    #[test]
    fn what_is_wrong_is_named_where_it_stands() {
        let kind = find("products.categorize").unwrap();
        let payload = json!({ "shard": "x", "product_id": "y", "colour": 1 });
        let wrong: Vec<String> =
            kind.check(&payload).iter().map(|wrong| format!("{} {}", wrong.pointer, wrong.code)).collect();
        let mut wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
        wrong.sort_unstable();
        assert_eq!(
            wrong,
            ["/book_id required", "/colour unknown_field", "/product_id invalid_format", "/shard wrong_type"]
        );
        let huge = json!({ "shard": 0, "book_id": 4_000_000_000_u64 });
        assert!(!kind.check(&huge).is_empty() || kind.job(&huge).is_err());
    }
}
