//! Imports: files sent, dealt with, and killed in between.

mod killed;
mod kit;
mod rows;
mod stopped;
mod upload;
