//! The states of a receiving part (RFC 9000 §3.2).

/// The state of a receiving part.
///
/// Recv → SizeKnown → DataRecvd → DataRead; from the first two also → ResetRecvd → ResetRead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::streams) enum RecvState {
    /// The end is not known.
    Recv,
    /// The end is known; data is missing.
    SizeKnown,
    /// Everything is here.
    DataRecvd,
    /// The application has everything, and knows that.
    DataRead,
    /// The peer gave up.
    ResetRecvd,
    /// The application knows that.
    ResetRead,
}

/// What moves a receiving part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::streams) enum RecvTransition {
    LearnSize,
    ReceiveAll,
    ReadAll,
    Reset,
    ReadReset,
}

impl RecvState {
    /// The state after `transition`; `None` if that means nothing in this state.
    ///
    /// A reset after all data arrived changes nothing (RFC 9000 §3.2 leaves that open).
    pub(in crate::streams) fn after(self, transition: RecvTransition) -> Option<Self> {
        use RecvTransition as On;
        match (self, transition) {
            (Self::Recv, On::LearnSize) => Some(Self::SizeKnown),
            (Self::SizeKnown, On::ReceiveAll) => Some(Self::DataRecvd),
            (Self::DataRecvd, On::ReadAll) => Some(Self::DataRead),
            (Self::Recv | Self::SizeKnown, On::Reset) => Some(Self::ResetRecvd),
            (Self::ResetRecvd, On::ReadReset) => Some(Self::ResetRead),
            _ => None,
        }
    }

    pub(in crate::streams) fn is_terminal(self) -> bool {
        matches!(self, Self::DataRead | Self::ResetRead)
    }
}

#[cfg(test)]
mod tests {
    use super::RecvState::{self, *};
    use super::RecvTransition::*;

    #[test]
    fn every_state_goes_where_the_rfc_says() {
        let states = [Recv, SizeKnown, DataRecvd, DataRead, ResetRecvd, ResetRead];
        let table: [(_, [Option<RecvState>; 6]); 5] = [
            (LearnSize, [Some(SizeKnown), None, None, None, None, None]),
            (ReceiveAll, [None, Some(DataRecvd), None, None, None, None]),
            (ReadAll, [None, None, Some(DataRead), None, None, None]),
            (Reset, [Some(ResetRecvd), Some(ResetRecvd), None, None, None, None]),
            (ReadReset, [None, None, None, None, Some(ResetRead), None]),
        ];
        for (transition, expected) in table {
            for (state, expected) in states.into_iter().zip(expected) {
                assert_eq!(state.after(transition), expected, "{state:?} on {transition:?}");
            }
        }
    }
}
