//! `bitnexus doctor`: each check on a database that is broken in exactly that way, and none of them on a sound one.

mod access;
mod book;
mod command;
mod kit;
mod schema;
mod server;
mod surroundings;
mod work;
