//! The supervisor and the worker pool over real processes: crash loops, kills, stops, leaks, drains, rolling restarts,
//! scaling, and the runners of Procfiles.

mod binary;
mod children;
mod crashes;
mod drain;
mod job;
mod kit;
mod memory;
mod program;
mod rest;
mod role;
mod roll;
mod runners;
mod scale;
mod silence;
mod systemd;
