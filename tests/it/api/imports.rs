//! Imports: files sent, dealt with, and killed in between; statements, which arrive the same way.

mod killed;
mod kit;
mod rows;
mod statements;
mod stopped;
mod upload;
