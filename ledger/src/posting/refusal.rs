//! Why a posting is not recorded, by name.

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them, in their order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// Its stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The one of that name.
            pub fn parse(name: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named! {
    /// Why a posting is refused. The first that holds is the one that is given, in the order they stand here.
    ///
    /// A final refusal is kept: its id stays refused, whatever is posted under it later. The others say that something is
    /// missing which may still come, so the same id may be posted again.
    Refusal {
        /// The batch ends before the chain does; said of its last posting. Not final.
        LinkedChainOpen = "linked_chain_open",
        /// Another posting of its chain is not recorded, and so this one is not either. Not final.
        LinkedFailed = "linked_failed",
        /// Fewer legs than its act has: two, of a closing one, of a capture none or two.
        TooFewLegs = "too_few_legs",
        /// More legs than its act has: [`LEGS_MAX`](super::LEGS_MAX), of a posting up to an amount two, of a closing one, of
        /// a void and an expiry none.
        TooManyLegs = "too_many_legs",
        /// A leg moves nothing.
        AmountZero = "amount_zero",
        /// The leg of a closing moves something.
        AmountNotZero = "amount_not_zero",
        /// A leg moves more than 10^18 minor units.
        AmountOutOfRange = "amount_out_of_range",
        /// The two legs of a posting up to an amount are not that amount, out of one account and into the other.
        AskedMismatch = "asked_mismatch",
        /// Two legs have the same account.
        SameAccount = "same_account",
        /// A time is not within the years 1 to 9999.
        TimeOutOfRange = "time_out_of_range",
        /// A leg's account is not open in this book. Not final.
        AccountNotFound = "account_not_found",
        /// A leg's account is closed.
        AccountClosed = "account_closed",
        /// The legs do not add up to zero.
        Unbalanced = "unbalanced",
        /// The legs add up to zero, but not in each currency by itself.
        CurrencyMismatch = "currency_mismatch",
        /// The transaction to reverse is not recorded in this book. Not final.
        OriginalNotFound = "original_not_found",
        /// The transaction to reverse moved nothing: it is a hold, a void, an expiry or a closing.
        NotReversible = "not_reversible",
        /// The legs are not exactly those of the original with the signs turned.
        ReversalMismatch = "reversal_mismatch",
        /// The original is reversed already, whole.
        AlreadyReversed = "already_reversed",
        /// A part of the original is reversed already, so it cannot be reversed whole.
        PartlyReversed = "partly_reversed",
        /// A leg, with all partial reversals before it, is not within the leg of the original that it undoes.
        ReversalExceedsOriginal = "reversal_exceeds_original",
        /// The hold to end is not recorded in this book. Not final.
        HoldNotFound = "hold_not_found",
        /// The transaction to end is not a hold.
        NotAHold = "not_a_hold",
        /// The hold is captured, voided or expired already.
        HoldEnded = "hold_ended",
        /// The hold's time is over, so it can only expire.
        HoldExpired = "hold_expired",
        /// The hold's time is not over yet, or never will be. Not final.
        HoldNotExpired = "hold_not_expired",
        /// A leg is not within the leg of the hold that it captures.
        CaptureExceedsHold = "capture_exceeds_hold",
        /// The hold would be over before it begins.
        TimeoutInPast = "timeout_in_past",
        /// The account to close has a balance.
        AccountNotEmpty = "account_not_empty",
        /// Something is held on the account to close.
        AccountHasHolds = "account_has_holds",
        /// An account without overdraft would have less than nothing available.
        InsufficientFunds = "insufficient_funds",
        /// A balance, or what it would be without its holds or with them, would go beyond what 64 bits hold.
        BalanceOverflow = "balance_overflow",
    }
}

named! {
    /// A field of a posting, in the order in which two postings of one id are compared.
    Field {
        /// [`Posting::code`](super::Posting::code).
        Code = "code",
        /// [`Posting::legs`](super::Posting::legs), their order included.
        Legs = "legs",
        /// [`Posting::effective_at`](super::Posting::effective_at).
        EffectiveAt = "effective_at",
        /// [`Posting::act`](super::Posting::act).
        Act = "act",
        /// [`Posting::metadata_hash`](super::Posting::metadata_hash).
        MetadataHash = "metadata_hash",
    }
}

impl Refusal {
    /// Whether the id is used up by it. What is missing may still come; everything else is said for good.
    pub const fn is_final(self) -> bool {
        !matches!(
            self,
            Refusal::LinkedChainOpen
                | Refusal::LinkedFailed
                | Refusal::AccountNotFound
                | Refusal::OriginalNotFound
                | Refusal::HoldNotFound
                | Refusal::HoldNotExpired
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::parse(refusal.as_str()), Some(*refusal));
        }
        assert_eq!(Refusal::parse("no_such_name"), None);
    }
}
