//! Every limit of the gateway in one table; each can be set in the config under its key below `gateway`.
//!
//! Sizes are bytes, times are milliseconds. The numbers that existing clients rely on are those of the
//! reference program; the rest were chosen so that a machine with 32 MB of memory survives hostile clients.
use std::time::Duration;

/// Gives the table to a macro: here it becomes what is in force, in `config/table/keys.rs` the rows of the configuration. Of a
/// limit it says field, key below `gateway`, default, smallest and largest value; sorted by key.
macro_rules! each_limit {
    ($then:ident) => {
        $then! {
            /// Wrong credentials of one address within the window.
            auth_failures "auth.rateLimit.maxAttempts" = 10, 1..=1000;
            /// The window in which wrong credentials count.
            auth_window_ms "auth.rateLimit.windowMs" = 60000, 1000..=3600000;
            /// Time that turns get to end by themselves before an in-process restart.
            drain_ms "limits.drainMs" = 30000, 0..=3600000;
            /// Time from accept to a successful connect; all the time of an HTTP connection that shows no secret.
            handshake_ms "limits.handshakeMs" = 10000, 50..=120000;
            /// Size of an HTTP request head.
            head_bytes "limits.headBytes" = 16384, 512..=65536;
            /// Interval of the health event.
            health_ms "limits.healthIntervalMs" = 60000, 50..=3600000;
            /// Answers by HTTP that go on, at a time.
            http_streams "limits.httpStreams" = 64, 1..=10000;
            /// Idle time of an HTTP keep-alive connection.
            keep_alive_ms "limits.keepAliveMs" = 5000, 50..=120000;
            /// policy.maxBufferedBytes for protocol 3.
            max_buffered_3 "limits.maxBufferedBytes3" = 1572864, 65536..=268435456;
            /// policy.maxBufferedBytes for protocol 4.
            max_buffered_4 "limits.maxBufferedBytes4" = 52428800, 65536..=268435456;
            /// Connections in all.
            connections "limits.maxConnections" = 2000, 1..=100000;
            /// policy.maxPayload for protocol 3.
            max_payload_3 "limits.maxPayload3" = 524288, 4096..=67108864;
            /// policy.maxPayload for protocol 4.
            max_payload_4 "limits.maxPayload4" = 26214400, 4096..=67108864;
            /// Time in which a message that has begun must bring 4 KiB a second.
            message_ms "limits.messageMs" = 30000, 100..=600000;
            /// Tokens that all turns which one message causes in other sessions may cost together.
            nested_tokens "limits.nestedTokens" = 5000000, 1..=1000000000000;
            /// Unauthenticated connections at a time.
            pre_auth "limits.preAuthConnections" = 32, 1..=1024;
            /// Size of a frame before connect.
            pre_auth_frame "limits.preAuthFrameBytes" = 65536, 1024..=1048576;
            /// Unauthenticated connections of one non-loopback address.
            pre_auth_per_address "limits.preAuthPerAddress" = 8, 1..=1024;
            /// Time of keeping the gateway waiting after which an unauthenticated connection may lose its place to a newcomer.
            pre_auth_silent_ms "limits.preAuthSilentMs" = 500, 10..=60000;
            /// Least time between two presence events caused by connects and disconnects.
            presence_gap_ms "limits.presenceGapMs" = 200, 1..=60000;
            /// Presence entries.
            presence_max "limits.presenceMax" = 200, 1..=2000;
            /// Age at which a presence entry without connection is dropped.
            presence_ttl_ms "limits.presenceTtlMs" = 300000, 100..=86400000;
            /// Agent runs of one client waiting in the queue of one session.
            queued_runs "limits.queuedRuns" = 20, 1..=1000;
            /// Time from SIGTERM to the end of the process.
            shutdown_ms "limits.shutdownMs" = 4500, 100..=300000;
            /// Time in which a client with unsent bytes must take 16 KiB a second, or it counts as slow.
            stall_ms "limits.stallMs" = 7000, 100..=120000;
            /// policy.tickIntervalMs.
            tick_ms "limits.tickIntervalMs" = 30000, 50..=600000;
            /// Rounds of tool calls in one turn.
            tool_rounds "limits.toolRounds" = 40, 1..=1000;
            /// Unsent bytes of all clients together, and bytes of messages that arrive; above it the largest client goes of whoever has the most. Half of it is for requests being worked on.
            total_buffered "limits.totalBufferedBytes" = 33554432, 1048576..=1073741824;
        }
    };
}
pub(crate) use each_limit;

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $field:ident $name:literal = $default:literal, $min:literal..=$max:literal;)+) => {
        /// The limits in force.
        #[derive(Debug, Clone)]
        pub struct Limits { $($(#[doc = $doc])+ pub $field: u64,)+ }

        impl Default for Limits {
            fn default() -> Limits {
                Limits { $($field: $default,)+ }
            }
        }

        impl Limits {
            /// The defaults with what the config sets, which `set` looks up by the whole key; a value outside its
            /// range is clamped into it.
            pub fn of(set: impl Fn(&str) -> Option<u64>) -> Limits {
                let of = |key: &str| set(&format!("gateway.{key}"));
                Limits { $($field: of($name).map_or($default, |v| v.clamp($min, $max)),)+ }
            }
        }
    };
}

each_limit!(limits);

impl Limits {
    /// `policy.maxPayload` for a protocol version.
    pub fn max_payload(&self, protocol: u32) -> usize {
        (if protocol >= 4 { self.max_payload_4 } else { self.max_payload_3 }) as usize
    }

    /// `policy.maxBufferedBytes` for a protocol version.
    pub fn max_buffered(&self, protocol: u32) -> usize {
        (if protocol >= 4 { self.max_buffered_4 } else { self.max_buffered_3 }) as usize
    }

    pub fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms)
    }
}
