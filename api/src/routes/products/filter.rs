//! What the list and the search of products have in common: their filters.

use domain::accounts::CURRENCIES_DEFAULT;
use domain::products::{Prices, Status};

use crate::body::choice::choice;
use crate::body::money::{AmountText, CurrencyCode};
use crate::problem::from_domain::sentence;
use crate::problem::{FieldProblem, Place, Problem};

choice! {
    /// Which products to show.
    pub(super) enum Shown {
        /// Those that are sold.
        Active = "active",
        /// Those that were archived.
        Archived = "archived",
        /// Both.
        Any = "any",
    }
}

impl Shown {
    /// The status that is asked for; that of products that are sold if nobody says.
    pub(super) fn status(shown: Option<Shown>) -> Option<Status> {
        Status::parse(shown.unwrap_or(Shown::Active).word())
    }
}

/// The range of prices that is asked for; `needs_currency` where an order of prices needs one as bounds do. GBP if nobody says.
pub(super) fn prices(
    currency: Option<CurrencyCode>,
    min: Option<AmountText>,
    max: Option<AmountText>,
    needs_currency: bool,
) -> Result<Prices, Problem> {
    let given = currency.map(|CurrencyCode(currency)| currency);
    let is_needed = needs_currency || min.is_some() || max.is_some();
    let currency = given.or_else(|| CURRENCIES_DEFAULT.first().copied().filter(|_| is_needed));
    let text = |amount: &Option<AmountText>| amount.as_ref().map(|AmountText(text)| text.clone());
    Prices::parse(currency, text(&min).as_deref(), text(&max).as_deref()).map_err(parameters)
}

/// The domain names fields of a body; here they are parameters.
fn parameters(error: domain::Error) -> Problem {
    let domain::Error::Invalid(fields) = error else { return error.into() };
    let parameter = |field: domain::FieldError| FieldProblem {
        at: Place::Parameter(field.pointer.trim_start_matches('/').to_owned()),
        code: field.code,
        detail: sentence(&field.detail),
    };
    Problem::invalid(fields.into_iter().map(parameter).collect())
}
