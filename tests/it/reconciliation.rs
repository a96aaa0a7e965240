//! Reconciliation: every class of fault is planted and found, clean books stay clean, statements match, breaks have lives.

mod erasure;
mod kit;
mod life;
mod retail;
mod runs;
mod seeded;
mod statements;
