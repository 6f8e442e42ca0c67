//! A place at the door: what its stranger has come to, and how long he may keep others waiting. Under the door's lock.
use crate::protocol::limits::Limits;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the thread of a stranger does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It works for the stranger.
    Served,
    /// It waits for the rest of a request.
    Head,
    /// It waits for `connect`.
    Upgraded,
    /// It waits for the rest of the first message.
    Begun,
    /// It heard other things than `connect`: pings.
    Beside,
    /// It judges a whole `connect`.
    Connecting,
    /// It waits for a turn to have its secret compared, and takes no place from others meanwhile.
    InLine,
    /// Nothing is owed any more: it waits for a next request, or for the other end to close.
    Idle,
}

#[derive(Debug)]
pub(super) struct Place {
    pub id: u64,
    pub network: IpAddr,
    pub stage: Stage,
    /// When it came to this stage.
    pub since: Instant,
    /// To wake its thread when the place is taken away.
    pub socket: Arc<TcpStream>,
    pub evicted: bool,
}

impl Stage {
    /// How far somebody came; who is owed nothing, or says what leads nowhere, least.
    pub(super) fn progress(self) -> u8 {
        match self {
            Stage::Idle | Stage::Beside => 0,
            Stage::Head => 1,
            Stage::Upgraded => 2,
            Stage::Begun => 3,
            Stage::Served | Stage::Connecting | Stage::InLine => 4,
        }
    }
}

impl Place {
    /// How long it may keep us waiting when others want the place; `None` while we work for it. A request comes in one
    /// piece; between the upgrade and `connect` lies a way there and back, which on this machine is short.
    pub(super) fn patience(&self, limits: &Limits, waiting: usize) -> Option<Duration> {
        let most = Duration::from_millis(limits.pre_auth_silent_ms);
        match self.stage {
            Stage::Served | Stage::Connecting | Stage::InLine => None,
            Stage::Idle | Stage::Beside => Some(Duration::ZERO),
            Stage::Head => Some(most / 8),
            Stage::Upgraded | Stage::Begun => {
                let least = if self.network.is_loopback() { most / 8 } else { most / 2 };
                let places = limits.pre_auth as f64;
                Some(most.mul_f64(places / (places + 6.0 * waiting as f64)).max(least))
            }
        }
    }

    pub(super) fn evict(&mut self) {
        self.evicted = true;
        // Its thread sees the end of input and says goodbye; if the socket is gone already, so is the thread.
        let _ = self.socket.shutdown(Shutdown::Read);
    }
}
