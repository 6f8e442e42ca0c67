//! What went wrong for the caller: a row of codes a kind.

/// What went wrong, named from the caller's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Parameters or a value given by the caller do not fit.
    Invalid,
    /// A frame is not a request frame.
    BadFrame,
    /// No method of that name.
    UnknownMethod,
    /// The connection's role or scopes do not allow the call.
    Forbidden,
    /// The credentials are missing or wrong.
    Unauthorized,
    /// Too many wrong credentials from this address.
    RateLimited,
    /// The device is not paired, or not for this role or these scopes.
    NotPaired,
    /// The client's protocol range does not meet ours.
    Protocol,
    /// Nothing of that name, key or id exists.
    NotFound,
    /// A configuration key that exists has no value.
    Unset,
    /// The same idempotency key was used with other parameters, or the file changed meanwhile.
    Conflict,
    /// A messaging channel has no linked account.
    NotLinked,
    /// The agent run passed its deadline.
    AgentTimeout,
    /// The run was stopped on request.
    Aborted,
    /// Ctrl-C ended what the command waited for.
    Interrupted,
    /// The model server failed: refused, dropped, answered an error or nonsense.
    Model,
    /// A dependency or the gateway itself cannot serve this now.
    Unavailable,
    /// Reading or writing a file failed.
    Io,
    /// The gateway could not be reached by the CLI.
    Unreachable,
    /// The request was written and no answer came: it may or may not have taken effect.
    OutcomeUnknown,
    /// The command line does not fit.
    Usage,
    /// `--profile` or `--dev` does not fit (a status of its own, as existing scripts expect).
    Profile,
    /// The configuration or environment must be fixed before a restart can help.
    Config,
}

/// The kinds that are told apart by their detail code.
pub const KINDS: [Kind; 18] = [
    Kind::Invalid,
    Kind::BadFrame,
    Kind::UnknownMethod,
    Kind::Forbidden,
    Kind::Unauthorized,
    Kind::RateLimited,
    Kind::NotPaired,
    Kind::Protocol,
    Kind::NotFound,
    Kind::Conflict,
    Kind::NotLinked,
    Kind::AgentTimeout,
    Kind::Aborted,
    Kind::Model,
    Kind::Unavailable,
    Kind::Io,
    Kind::OutcomeUnknown,
    Kind::Config,
];
