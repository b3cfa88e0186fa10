//! The states of a sending part (RFC 9000 §3.1).

/// The state of a sending part.
///
/// Ready → Send → DataSent → DataRecvd; from the first three also → ResetSent → ResetRecvd.
/// When a server rejects 0-RTT, nothing was sent: the first three go back to Ready.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::streams) enum SendState {
    /// Nothing was sent.
    Ready,
    /// Data was sent.
    Send,
    /// Everything was sent, and so was the end.
    DataSent,
    /// Everything was acknowledged.
    DataRecvd,
    /// The rest was given up.
    ResetSent,
    /// The peer knows that.
    ResetRecvd,
}

/// What moves a sending part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::streams) enum SendTransition {
    SendData,
    SendFin,
    AllAcked,
    Reset,
    ResetAcked,
    Restart,
}

impl SendState {
    /// The state after `transition`; `None` if that means nothing in this state.
    pub(in crate::streams) fn after(self, transition: SendTransition) -> Option<Self> {
        use SendTransition as On;
        match (self, transition) {
            (Self::Ready | Self::Send, On::SendData) => Some(Self::Send),
            (Self::Ready | Self::Send, On::SendFin) => Some(Self::DataSent),
            (Self::DataSent, On::AllAcked) => Some(Self::DataRecvd),
            (Self::Ready | Self::Send | Self::DataSent, On::Reset) => Some(Self::ResetSent),
            (Self::ResetSent, On::ResetAcked) => Some(Self::ResetRecvd),
            (Self::Ready | Self::Send | Self::DataSent, On::Restart) => Some(Self::Ready),
            _ => None,
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9000#section-3.3
    //# A sender MUST NOT send any of these frames from a terminal state ("Data
    //# Recvd" or "Reset Recvd").
    pub(in crate::streams) fn is_terminal(self) -> bool {
        matches!(self, Self::DataRecvd | Self::ResetRecvd)
    }
}

#[cfg(test)]
mod tests {
    use super::SendState::{self, *};
    use super::SendTransition::*;

    #[test]
    fn every_state_goes_where_the_rfc_says() {
        let states = [Ready, Send, DataSent, DataRecvd, ResetSent, ResetRecvd];
        let table: [(_, [Option<SendState>; 6]); 6] = [
            (SendData, [Some(Send), Some(Send), None, None, None, None]),
            (SendFin, [Some(DataSent), Some(DataSent), None, None, None, None]),
            (AllAcked, [None, None, Some(DataRecvd), None, None, None]),
            (Reset, [Some(ResetSent), Some(ResetSent), Some(ResetSent), None, None, None]),
            (ResetAcked, [None, None, None, None, Some(ResetRecvd), None]),
            (Restart, [Some(Ready), Some(Ready), Some(Ready), None, None, None]),
        ];
        for (transition, expected) in table {
            for (state, expected) in states.into_iter().zip(expected) {
                assert_eq!(state.after(transition), expected, "{state:?} on {transition:?}");
            }
        }
    }
}
