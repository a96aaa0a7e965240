//! The service's own schedules: who decides when they tick, and what the one does that forgets.

mod layers;
mod retention;
