//! What is personal or secret is in no log, however much is logged.
