//! Products over HTTP: each function of the Elixir service has a test of its name.

mod categories;
mod found;
mod kept;
mod kit;
mod words;
