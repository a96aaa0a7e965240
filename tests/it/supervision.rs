//! The supervisor and the worker pool over real processes: crash loops, kills, stops, leaks, drains, rolling restarts,
//! scaling, and the runners of Procfiles.

mod children;
