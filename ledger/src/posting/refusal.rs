//! Why a posting is not recorded, by name.

/// Why a posting is refused. The first that holds is the one that is given, in the order they stand here.
///
/// A final refusal is kept: its id stays refused, whatever is posted under it later. The others say that something is
/// missing which may still come, so the same id may be posted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Fewer than two legs.
    TooFewLegs,
    /// More than [`LEGS_MAX`](super::LEGS_MAX) legs.
    TooManyLegs,
    /// A leg moves nothing.
    AmountZero,
    /// A leg moves more than 10^18 minor units.
    AmountOutOfRange,
    /// Two legs have the same account.
    SameAccount,
    /// A leg's account is not open in this book. Not final.
    AccountNotFound,
    /// The legs do not add up to zero.
    Unbalanced,
    /// The legs add up to zero, but not in each currency by itself.
    CurrencyMismatch,
    /// The transaction to reverse is not recorded in this book. Not final.
    OriginalNotFound,
    /// The legs are not exactly those of the original with the signs turned.
    ReversalMismatch,
    /// The original is reversed already.
    AlreadyReversed,
    /// An account without overdraft would go below zero.
    InsufficientFunds,
    /// A balance would go beyond what 64 bits hold.
    BalanceOverflow,
}

/// A field of a posting, in the order in which two postings of one id are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// [`Posting::code`](super::Posting::code).
    Code,
    /// [`Posting::legs`](super::Posting::legs), their order included.
    Legs,
    /// [`Posting::effective_at`](super::Posting::effective_at).
    EffectiveAt,
    /// [`Posting::reverses`](super::Posting::reverses).
    Reverses,
    /// [`Posting::metadata_hash`](super::Posting::metadata_hash).
    MetadataHash,
}

impl Refusal {
    /// All refusals, in their order.
    pub const ALL: [Refusal; 13] = [
        Refusal::TooFewLegs,
        Refusal::TooManyLegs,
        Refusal::AmountZero,
        Refusal::AmountOutOfRange,
        Refusal::SameAccount,
        Refusal::AccountNotFound,
        Refusal::Unbalanced,
        Refusal::CurrencyMismatch,
        Refusal::OriginalNotFound,
        Refusal::ReversalMismatch,
        Refusal::AlreadyReversed,
        Refusal::InsufficientFunds,
        Refusal::BalanceOverflow,
    ];

    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Refusal::TooFewLegs => "too_few_legs",
            Refusal::TooManyLegs => "too_many_legs",
            Refusal::AmountZero => "amount_zero",
            Refusal::AmountOutOfRange => "amount_out_of_range",
            Refusal::SameAccount => "same_account",
            Refusal::AccountNotFound => "account_not_found",
            Refusal::Unbalanced => "unbalanced",
            Refusal::CurrencyMismatch => "currency_mismatch",
            Refusal::OriginalNotFound => "original_not_found",
            Refusal::ReversalMismatch => "reversal_mismatch",
            Refusal::AlreadyReversed => "already_reversed",
            Refusal::InsufficientFunds => "insufficient_funds",
            Refusal::BalanceOverflow => "balance_overflow",
        }
    }

    /// The refusal of a name.
    pub fn parse(name: &str) -> Option<Refusal> {
        Refusal::ALL.into_iter().find(|refusal| refusal.as_str() == name)
    }

    /// Whether the id is used up by it. What is missing may still come; everything else is said for good.
    pub const fn is_final(self) -> bool {
        !matches!(self, Refusal::AccountNotFound | Refusal::OriginalNotFound)
    }
}

impl Field {
    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Field::Code => "code",
            Field::Legs => "legs",
            Field::EffectiveAt => "effective_at",
            Field::Reverses => "reverses",
            Field::MetadataHash => "metadata_hash",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::parse(refusal.as_str()), Some(refusal));
        }
        assert_eq!(Refusal::parse("no_such_name"), None);
    }
}
