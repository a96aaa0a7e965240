//! Problems of the queue: what operators may not do, and schedules that make no sense.

use poem::http::StatusCode;
use queue::EnqueueError;
use queue::control::ControlError;
use queue::schedule::{ScheduleError, SpecError};

use super::from_domain::sentence;
use super::{FieldProblem, Place, Problem};

fn invalid(pointer: impl Into<String>, code: &'static str, detail: &str) -> Problem {
    Problem::invalid(vec![FieldProblem { at: Place::Pointer(pointer.into()), code, detail: sentence(detail) }])
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Problem {
        let detail = error.to_string();
        let at = |pointer: &str, code| invalid(pointer, code, &detail);
        match error {
            ControlError::Text { field: "limit", .. } => {
                Problem::parameter("name", "invalid_parameter", sentence(&detail))
            }
            ControlError::Text { field, .. } => invalid(format!("/filter/{field}"), "invalid_text", &detail),
            ControlError::EmptyFilter => at("/filter", "empty_filter"),
            ControlError::UnknownState(_) => at("/filter/states", "unknown_value"),
            ControlError::StateNotApplicable { .. } => at("/filter/states", "state_not_applicable"),
            ControlError::PriorityOutOfRange(_) => at("/priority", "out_of_range"),
            ControlError::TimesOutOfOrder => at("/filter/created_before", "out_of_order"),
            ControlError::TimeOutOfRange => at("/run_at", "out_of_range"),
            ControlError::CapOutOfRange(_) => at("/limit", "out_of_range"),
            ControlError::TooManyIds { .. } => at("/ids", "too_many_items"),
            ControlError::LimitsNothing => at("", "limits_nothing"),
            ControlError::LimitOutOfRange(field) => at(&format!("/{field}"), "out_of_range"),
            ControlError::LimitReserved => Problem::new(StatusCode::CONFLICT, "limit_reserved", sentence(&detail)),
            ControlError::NoSuchLimit(_) => Problem::not_found(),
            ControlError::Database(error) => error.into(),
        }
    }
}

impl From<ScheduleError> for Problem {
    fn from(error: ScheduleError) -> Problem {
        let detail = error.to_string();
        let at = |pointer: &str, code| invalid(pointer, code, &detail);
        match error {
            ScheduleError::Name(_) => at("/name", "invalid_name"),
            ScheduleError::Spec(error) => match error {
                SpecError::TimeZone(_) => at("/time_zone", "unknown_time_zone"),
                SpecError::TooLong(_) => at("/spec", "too_long"),
                SpecError::FieldCount(_) => at("/spec", "field_count"),
                SpecError::Field { .. } => at("/spec", "invalid_field"),
                SpecError::NeverFires(_) => at("/spec", "never_fires"),
                SpecError::Every(_) => at("/spec", "invalid_period"),
                SpecError::Word(_) => at("/spec", "unknown_word"),
            },
            ScheduleError::CatchUp(_) => at("/catch_up_max", "out_of_range"),
            ScheduleError::Job(_) => at("/payload", "invalid_job"),
            ScheduleError::Exists(_) => Problem::new(StatusCode::CONFLICT, "schedule_exists", sentence(&detail)),
            ScheduleError::NotFound(_) => Problem::not_found(),
            ScheduleError::Enqueue(error) => error.into(),
            ScheduleError::Database(error) => error.into(),
        }
    }
}

impl From<EnqueueError> for Problem {
    fn from(error: EnqueueError) -> Problem {
        match error {
            EnqueueError::Database(error) => error.into(),
            EnqueueError::Contended => {
                Problem::unavailable("unavailable", "Jobs of the same unique key came and went.")
            }
            other => {
                tracing::error!(error = %other, "a job could not be enqueued");
                Problem::internal()
            }
        }
    }
}
