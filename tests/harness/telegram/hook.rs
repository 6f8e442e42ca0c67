//! The stand-in as the one that calls: what waits for a bot is posted to its webhook.
use super::Telegram;
use std::io::{Read, Write};
use std::net::TcpStream;

impl Telegram {
    /// Posts what waits to this port of loopback, at the path of the webhook's address and with its secret, one after the
    /// other; what is answered with 2xx is forgotten. Ends at the first that is not, as that one comes again. The
    /// statuses in order; 0 where there was no answer.
    pub fn post_updates(&self, token: &str, port: u16) -> Vec<u16> {
        let mut statuses = Vec::new();
        loop {
            let (hook, next) = {
                let world = self.world();
                let bot = &world.bots[token];
                (bot.webhook.clone(), bot.queue.front().cloned())
            };
            let (Some(hook), Some((id, update))) = (hook, next) else { return statuses };
            let text = |name: &str| hook[name].as_str().unwrap_or_default().to_string();
            let (url, secret) = (text("url"), text("secret_token"));
            let path = url.splitn(4, '/').nth(3).unwrap_or_default();
            let status = post(port, path, &secret, &update.to_string()).unwrap_or(0);
            statuses.push(status);
            if !(200..300).contains(&status) {
                return statuses;
            }
            if let Some(bot) = self.world().bots.get_mut(token) {
                bot.queue.retain(|(waiting, _)| *waiting != id);
            }
        }
    }
}

fn post(port: u16, path: &str, secret: &str, body: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let length = body.len();
    let secret = match secret {
        "" => String::new(),
        secret => format!("X-Telegram-Bot-Api-Secret-Token: {secret}\r\n"),
    };
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n{secret}\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    // What closes without reading all has answered all the same.
    let _ = stream.read_to_string(&mut answer);
    answer.split(' ').nth(1)?.parse().ok()
}
