//! Every test that needs a database or several crates, in one binary.

<<<<<<< HEAD
mod chaos;
mod import;
mod import_client;
mod import_plan;
=======
mod domain;
>>>>>>> main
mod testkit;
mod tidy;
