//! How many streams there may be at once: of one user, and in all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use domain::UserId;
use poem::http::{HeaderValue, StatusCode, header};

use crate::problem::Problem;

/// Streams of one user.
const OF_USER_MAX: usize = 100;

/// Streams in all. They hold connections, of which requests need some, too.
const ALL_MAX: usize = 5_000;

/// The streams that are open.
#[derive(Debug, Default)]
pub(crate) struct Seats(Mutex<HashMap<UserId, usize>>);

/// The place of one stream; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    user: UserId,
}

impl Seats {
    /// A place for one more stream of this user, if there is one.
    pub(crate) fn take(self: &Arc<Seats>, user: UserId) -> Result<Seat, Problem> {
        let mut taken = self.0.lock().expect("nothing panics while it is held");
        let (of_user, all) = (taken.get(&user).copied().unwrap_or(0), taken.values().sum::<usize>());
        if of_user >= OF_USER_MAX {
            let detail = "Too many event streams of this user are open; close one.";
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail);
            return Err(problem.header(header::RETRY_AFTER, HeaderValue::from_static("10")));
        }
        if all >= ALL_MAX {
            return Err(Problem::unavailable("overloaded", "Too many event streams are open."));
        }
        taken.insert(user, of_user + 1);
        drop(taken);
        Ok(Seat { seats: Arc::clone(self), user })
    }
}

impl Seat {
    /// Whose it is.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().expect("nothing panics while it is held");
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_user_has_so_many_places_and_gets_them_back() {
        let (seats, user) = (Arc::new(Seats::default()), UserId(Uuid::from_u128(1)));
        let held: Vec<Seat> = (0..OF_USER_MAX).map(|_| seats.take(user).unwrap()).collect();
        assert_eq!(seats.take(user).map_err(|problem| problem.code()).unwrap_err(), "too_many_streams");
        assert!(seats.take(UserId(Uuid::from_u128(2))).is_ok());
        drop(held);
        assert!(seats.take(user).is_ok() && seats.0.lock().unwrap().is_empty());
    }
}
