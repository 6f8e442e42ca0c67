//! The control page: how soon a browser that connects anew has the first byte of `/`, and the bytes of all of it.
use super::process::Gateway;
use super::report::{Report, median};
use super::{Result, Scale};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// The whole answer, and the milliseconds until its first byte, the connection's included.
fn fetch(port: u16, path: &str) -> Result<(Vec<u8>, f64)> {
    let since = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let host = format!("Host: 127.0.0.1:{port}\r\nAccept-Encoding: gzip\r\nConnection: close");
    stream.write_all(format!("GET {path} HTTP/1.1\r\n{host}\r\n\r\n").as_bytes())?;
    let mut answer = vec![0];
    stream.read_exact(&mut answer)?;
    let time = since.elapsed().as_secs_f64() * 1000.0;
    stream.read_to_end(&mut answer)?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        return Err(
            format!("{path}: {}", String::from_utf8_lossy(answer.get(..40).unwrap_or(&answer))).into()
        );
    }
    Ok((answer, time))
}

pub fn page(scale: Scale, report: &mut Report) -> Result<()> {
    let gateway = Gateway::start(&Value::Null)?;
    let times =
        (0..scale.cli_calls * 5).map(|_| Ok(fetch(gateway.port, "/")?.1)).collect::<Result<Vec<_>>>()?;
    report.at_most("control page: first byte of `/` (median)", median(&times), 2.0, "ms");
    Ok(())
}
