//! The W3C trace context: which trace, which span of it, and whether that is kept.

use std::fmt;

use uuid::Uuid;

use super::EXPORT;

/// Kept by those that came before.
const SAMPLED: u8 = 1;
/// The flags that mean something: besides that one, that the trace id is random.
const KNOWN: u8 = 3;
/// The length of version 00; later ones may be longer.
const LENGTH: usize = 55;

/// A span, as those that follow from it know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceContext {
    /// Reads the header `traceparent`; none if it is not one. Of later versions than 00, the part that is known counts.
    pub fn parse(text: &str) -> Option<TraceContext> {
        let known = text.get(..LENGTH)?;
        let mut parts = known.split('-');
        let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_longer_well = text.len() == LENGTH || (version != "00" && text.as_bytes()[LENGTH] == b'-');
        if parts.next().is_some() || !is_longer_well || hex(version, 2)? == 0xff {
            return None;
        }
        let context = TraceContext {
            trace_id: hex(trace_id, 32)?,
            span_id: hex(span_id, 16)? as u64,
            flags: hex(flags, 2)? as u8 & KNOWN,
        };
        (context.trace_id != 0 && context.span_id != 0).then_some(context)
    }

    /// The beginning of a new trace, of which the sampler decides whether it is kept.
    pub fn root() -> TraceContext {
        TraceContext { trace_id: Uuid::new_v4().as_u128(), span_id: new_span_id(), flags: 0 }.sampled(None)
    }

    /// A span that follows from this one, in the same trace.
    #[must_use]
    pub fn child(self) -> TraceContext {
        TraceContext { span_id: new_span_id(), ..self }.sampled(Some(self))
    }

    /// The trace's id, 32 digits.
    pub fn trace_id(self) -> impl fmt::Display {
        Hex(self.trace_id, 32)
    }

    /// The span's id, 16 digits.
    pub fn span_id(self) -> impl fmt::Display {
        Hex(self.span_id.into(), 16)
    }

    /// Both ids and the flags, as numbers.
    pub fn numbers(self) -> (u128, u64, u8) {
        (self.trace_id, self.span_id, self.flags)
    }

    /// Whether it is kept.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The same, kept.
    pub(super) fn kept(self) -> TraceContext {
        TraceContext { flags: self.flags | SAMPLED, ..self }
    }

    /// With what the sampler says; without a collector, what came before counts.
    fn sampled(self, parent: Option<TraceContext>) -> TraceContext {
        let said = parent.map(TraceContext::is_sampled);
        let is_sampled = match EXPORT.get() {
            Some(export) => export.sampler.takes(self.trace_id, said),
            None => said.unwrap_or(false),
        };
        TraceContext { flags: self.flags & !SAMPLED | u8::from(is_sampled), ..self }
    }
}

impl fmt::Display for TraceContext {
    /// As the header `traceparent` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

struct Hex(u128, usize);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.0, width = self.1)
    }
}

/// The last half of a random UUID, which is never zero.
fn new_span_id() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}

/// So many lower-case digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_hex = text.len() == digits && text.bytes().all(is_digit);
    is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_read_is_written_the_same() {
        assert_eq!(TraceContext::parse(GIVEN).unwrap().to_string(), GIVEN);
        let later = TraceContext::parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-what-comes").unwrap();
        assert_eq!(later.to_string(), GIVEN, "flags that nobody knows are not passed on");
    }

    #[test]
    fn what_is_no_context_is_left() {
        let wrong = [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é1",
            "00-4bf92f3577b34da6a3ce-29d0e0e4736-00f067aa0ba902b7-01",
        ];
        for wrong in wrong {
            assert_eq!(TraceContext::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_child_is_of_the_same_trace_and_kept_like_its_parent() {
        let parent = TraceContext::parse(GIVEN).unwrap();
        let child = parent.child();
        assert_eq!((child.trace_id, child.is_sampled()), (parent.trace_id, true));
        assert_ne!(child.span_id, parent.span_id);
        let root = TraceContext::root();
        assert!(
            !root.is_sampled() && root.trace_id != parent.trace_id,
            "without a collector, nothing begins to be kept"
        );
    }
}
