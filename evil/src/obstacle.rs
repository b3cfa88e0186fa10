//! Why a case cannot be decided by its reaction alone.

use std::fmt;

/// What kept a case from getting to its attack, or what it saw that must not be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Obstacle {
    /// The attack could not be set up: no verdict on the reaction, and no pass.
    #[error("not set up: {0}")]
    NotSetUp(String),
    /// The target does not offer what the case is about, which it need not.
    #[error("the target has no {0}")]
    Lacks(&'static str),
    /// The target broke a rule on the way.
    #[error("{0}")]
    Broken(String),
}

impl Obstacle {
    /// The attack could not be set up.
    pub fn not_set_up(why: impl fmt::Display) -> Self {
        Self::NotSetUp(why.to_string())
    }

    /// The target broke a rule.
    pub fn broken(what: impl fmt::Display) -> Self {
        Self::Broken(what.to_string())
    }
}
