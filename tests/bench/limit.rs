//! The limit: a bare WebSocket server, one thread a connection, no state, no validation.
//!
//! It answers every text frame with a canned reply of the size of the gateway's own, so that the ratio says
//! what the gateway's work costs.
use crate::Result;
use std::net::{TcpListener, TcpStream};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, accept_with_config};

/// Listens on a free port, prints it, serves until killed.
pub fn serve(bytes: usize) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let filler = "x".repeat(bytes);
    for stream in listener.incoming().flatten() {
        let filler = filler.clone();
        std::thread::Builder::new().stack_size(128 << 10).spawn(move || {
            // A client that hangs up ends its thread; there is nobody to tell.
            let _ = answer(stream, &filler);
        })?;
    }
    Ok(())
}

fn answer(stream: TcpStream, filler: &str) -> Result<()> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
    let mut ws = accept_with_config(stream, Some(config)).map_err(|e| e.to_string())?;
    loop {
        if let Message::Text(text) = ws.read()? {
            let id =
                text.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
            ws.send(Message::text(format!(
                r#"{{"type":"res","id":"{id}","ok":true,"payload":{{"f":"{filler}"}}}}"#
            )))?;
        }
    }
}
