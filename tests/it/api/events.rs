//! Events over HTTP: who may follow what, streams that miss and repeat nothing, and the six steps of a transaction.

mod access;
mod kit;
mod published;
mod six_steps;
mod streams;
