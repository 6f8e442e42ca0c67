//! Exchanges over HTTP: media to and from WhatsApp's servers, and the version of its web page. Each on a thread that ends
//! with it.
use crate::exec::on_thread;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::{Agent, Body, SendBody};
use wacore::net::{HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody};
use whatsapp_rust::anyhow::{Result, anyhow};
use whatsapp_rust::async_trait;

/// For the whole of an exchange: a document of 100 MB over a slow line.
const TIME: Duration = Duration::from_secs(600);
const CONNECT: Duration = Duration::from_secs(20);
/// Longest answer that is kept in memory, bytes.
const MOST: u64 = 128 << 20;

#[derive(Clone)]
pub struct Http(Agent);

impl Http {
    pub fn new() -> Http {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIME))
            .timeout_connect(Some(CONNECT))
            .max_idle_connections(0)
            .user_agent("")
            .build();
        Http(config.new_agent())
    }

    fn ask(&self, request: &HttpRequest, body: SendBody) -> Result<ureq::http::Response<Body>> {
        let mut asked = ureq::http::Request::builder().method(request.method.as_str()).uri(&request.url);
        for (name, value) in &request.headers {
            asked = asked.header(name, value);
        }
        Ok(self.0.run(asked.body(body)?)?)
    }
}

#[async_trait]
impl HttpClient for Http {
    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse> {
        let slot: Arc<Mutex<Option<Result<HttpResponse>>>> = Arc::default();
        let (own, http) = (slot.clone(), self.clone());
        let mut request = request;
        let job = move || {
            let body = request.body.take().unwrap_or_default();
            if !body.is_empty() {
                request.headers.insert("Content-Length".into(), body.len().to_string());
            }
            let send = match body.is_empty() {
                true => SendBody::none(),
                false => SendBody::from_owned_reader(std::io::Cursor::new(body)),
            };
            let told = http.ask(&request, send).and_then(whole);
            *own.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        };
        on_thread(Box::new(job)).await;
        let told = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        told.unwrap_or_else(|| Err(anyhow!("no thread for an exchange")))
    }

    fn supports_streaming(&self) -> bool {
        true
    }

    fn execute_streaming(&self, request: HttpRequest) -> Result<StreamingHttpResponse> {
        let told = self.ask(&request, SendBody::none())?;
        let status_code = told.status().as_u16();
        Ok(StreamingHttpResponse { status_code, body: Box::new(told.into_body().into_reader()) })
    }

    fn supports_upload_streaming(&self) -> bool {
        true
    }

    fn execute_upload(&self, request: HttpRequest, body: UploadBody, length: u64) -> Result<HttpResponse> {
        let mut request = request;
        request.headers.insert("Content-Length".into(), length.to_string());
        whole(self.ask(&request, SendBody::from_owned_reader(body.take(length)))?)
    }
}

fn whole(told: ureq::http::Response<Body>) -> Result<HttpResponse> {
    let status_code = told.status().as_u16();
    let mut body = Vec::new();
    told.into_body().into_reader().take(MOST).read_to_end(&mut body)?;
    Ok(HttpResponse { status_code, body })
}
