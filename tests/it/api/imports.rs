//! Imports: files sent, dealt with, and killed in between.

mod kit;
mod killed;
mod rows;
mod stopped;
mod upload;
