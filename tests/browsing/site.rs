//! The site: pages with forms, frames, dialogs, downloads, and such as fight. One thread, which ends with it.
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

pub struct Site {
    port: u16,
    is_over: Arc<AtomicBool>,
}

impl Site {
    pub fn start() -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = is_over.clone();
        let accept = move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                Builder::new().spawn(move || serve(stream, port)).unwrap();
            }
        };
        Builder::new().spawn(accept).unwrap();
        Site { port, is_over }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes who accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut stream: TcpStream, port: u16) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else { return };
    lines.map_while(Result::ok).find(|line| line.is_empty());
    let target = first.split(' ').nth(1).unwrap_or("/").to_string();
    let path = target.split('?').next().unwrap_or("/");
    let (status, more, body) = page(path, &target, port);
    let kind = if more.contains("Content-Type") { "" } else { "Content-Type: text/html; charset=utf-8\r\n" };
    let head = format!(
        "HTTP/1.1 {status}\r\n{kind}{more}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // A browser may have gone by then.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

fn page(path: &str, target: &str, port: u16) -> (&'static str, String, String) {
    let whole = |body: &str| ("200 OK", String::new(), format!("<!doctype html>{body}"));
    match path {
        "/" => whole(HOME),
        "/two" => whole("<title>Two</title><p>Second page<script>throw new TypeError('oops')</script>"),
        "/frame" => whole("<button onclick=\"this.textContent='done'\">inner</button>"),
        "/done" => whole(&format!("<title>Done</title><p>Thanks: {}", target.split('?').nth(1).unwrap_or_default())),
        "/file" => ("200 OK", "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"../a b.bin\"\r\n".into(), "data".into()),
        "/away" => ("302 Found", "Location: http://127.0.0.2:1/secret\r\n".into(), String::new()),
        "/local" => whole("<title>Local</title><a href=\"file:///etc/passwd\">file</a><iframe src=\"http://127.0.0.2:1/\"></iframe>"),
        "/near" => whole("<title>Near</title><p id=out>none</p><img src=\"http://127.0.0.2:1/a.png\" onerror=\"out.textContent = 'no picture'\"><iframe src=\"http://127.0.0.2:1/f\"></iframe>"),
        "/alerts" => whole("<title>Alerts</title><button onclick=\"for (;;) alert('again')\">Nag</button>"),
        "/endless" => whole("<title>Endless</title><script>setTimeout(() => location.reload(), 50)</script>"),
        "/hang" => whole("<title>Hang</title><p id=out>none</p><a href=/two onclick=\"setTimeout(() => { for (;;); }, 0)\">Away</a>"),
        "/big" => whole("<title>Big</title><main id=m></main><script>let h = ''; for (let i = 0; i < 1250; i++) h += `<div><h3>Item ${i}</h3><p>Some words about item ${i}</p><a href='/i/${i}'>Open ${i}</a></div>`; m.innerHTML = h</script>"),
        "/huge" => whole("<title>Huge</title><pre id=p></pre><script>p.textContent = 'x'.repeat(100_000_000)</script>"),
        "/worker.js" => (
            "200 OK",
            "Content-Type: text/javascript\r\n".into(),
            "const go = port => fetch(location.search.slice(1)).then(() => 'there', () => 'refused').then(what => port.postMessage(what));\nonconnect = e => go(e.ports[0]); if (self.DedicatedWorkerGlobalScope) go(self)".into(),
        ),
        "/apart" => whole(&format!("<title>Apart</title><iframe title=Other src=\"http://localhost:{port}/frame\"></iframe>")),
        _ => ("404 Not Found", String::new(), "nothing".into()),
    }
}

const HOME: &str = r#"<title>Home</title><h1>Hello</h1><a href=/two>Second</a>
<form action=/done><label>Name <input name=n></label><label><input type=checkbox name=c> Agree</label>
<select name=s aria-label=Pick><option value=a>One<option value=b>Two</select><button>Send</button></form>
<button onclick="document.title = prompt('who?', 'me')">Ask</button>
<p id=out>none</p>
<button onclick="out.textContent = 'clicked'; console.log('was clicked', 1); console.error('bad')">Change</button>
<button onclick="setTimeout(() => { out.textContent = 'later' }, 300)">Later</button>
<button disabled>Off</button>
<button onmouseover="out.textContent = 'over'">Over</button>
<input type=file aria-label=File onchange="out.textContent = this.files[0].name">
<a href=/file>Get</a> <a href=/two target=_blank>Beside</a>
<iframe src=/frame title=Inner></iframe>
<div tabindex=0 draggable=true ondragstart="event.dataTransfer.setData('text', 'x')">drag</div>
<div tabindex=0 ondragover="event.preventDefault()" ondrop="out.textContent = 'dropped ' + event.dataTransfer.getData('text')">drop</div>
<div style="position:relative"><button>Under</button><div id=lid style="position:absolute;inset:0;background:#fff"></div></div>
<input aria-label=Key onkeydown="out.textContent = event.key + event.ctrlKey">
<p style="margin-top:3000px">far <button>Low</button></p>"#;
