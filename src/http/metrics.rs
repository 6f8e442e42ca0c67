//! The numbers of `metrics.rs` as Prometheus reads them. Runs on the connection's own thread.
//!
//! Nothing is measured for it that is not counted anyway. The one label is the method's name, of which there are as many
//! as the table of methods has.
use crate::error::Result;
use crate::http::Exchange;
use crate::metrics::{self, Kind};
use crate::state::health;
use crate::tls::Port;

const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub fn serve(exchange: Exchange) -> Result<()> {
    health::look(exchange.shared);
    let mut text = Text(String::with_capacity(8 << 10));
    text.one(
        "build_info",
        "gauge",
        "The version that runs.",
        &format!("{{version=\"{}\"}} 1", crate::version::VERSION),
    );
    let uptime = exchange.shared.started.elapsed().as_millis() as u64;
    text.one("uptime_seconds", "gauge", "Since the gateway began.", &seconds(uptime));
    for (row, number) in metrics::all() {
        let (kind, value) = match row.kind {
            Kind::Counter => ("counter", format!(" {number}")),
            Kind::CounterMs => ("counter", seconds(number)),
            Kind::Gauge => ("gauge", format!(" {number}")),
            Kind::Since => ("gauge", seconds(number)),
        };
        text.one(row.outside, kind, row.help, &value);
    }
    for (n, (method, number)) in metrics::requests(&exchange.shared.method_names).enumerate() {
        if n == 0 {
            text.head("requests_total", "counter", "Requests, by method.");
        }
        text.0 += &format!("openclaw_requests_total{{method=\"{method}\"}} {number}\n");
    }
    if let Some(until) = exchange.shared.tls.as_ref().map(Port::pair).and_then(|pair| pair.facts.until) {
        text.one(
            "tls_not_after_seconds",
            "gauge",
            "Until when the certificate is good, in Unix time.",
            &seconds(until),
        );
    }
    exchange.out.bytes(200, TYPE, text.0.as_bytes())
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.0 += &format!("# HELP openclaw_{name} {help}\n# TYPE openclaw_{name} {kind}\n");
    }

    /// A family of one sample; `value` is what stands behind its name.
    fn one(&mut self, name: &str, kind: &str, help: &str, value: &str) {
        self.head(name, kind, help);
        self.0 += &format!("openclaw_{name}{value}\n");
    }
}

fn seconds(ms: u64) -> String {
    format!(" {}.{:03}", ms / 1000, ms % 1000)
}
