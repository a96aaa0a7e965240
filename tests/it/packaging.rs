//! What is shipped beside the binary: the image, the compose file, the units, the example of an environment. No container
//! engine is needed: each path, command, flag and variable that is named there has to exist, and the steps that they take
//! are taken here, on a PostgreSQL of the test's own.

mod environment;
mod first_start;
mod image;
mod kit;
mod minimum;
mod outside;
mod units;
