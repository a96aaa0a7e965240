//! Problems of the domain and of its database.
