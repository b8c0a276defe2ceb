//! The way to the signer: connections to its socket, kept open, one request on each at a time.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use jit_core::clock::Stopwatch;
use tokio::net::UnixStream;

/// Connections kept open while nothing is asked.
const KEPT: usize = 32;
/// The largest answer: the longest list of records.
const LARGEST: usize = 64 * 1024 * 1024;
/// How often a signer that is away is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Why there is no answer.
#[derive(Debug)]
pub enum No {
    /// The signer did not see the request.
    Away,
    /// The signer may have done what was asked.
    Unknown,
}

/// The signer's socket.
pub struct Upstream {
    socket: PathBuf,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Upstream {
    /// At `socket`.
    pub fn new(socket: PathBuf) -> Self {
        Upstream { socket, idle: Mutex::default() }
    }

    /// Asks the signer, and waits for it so long if it is away. What only looks is asked again if
    /// the signer goes away over it.
    pub async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Response<Bytes>, No> {
        let away = Stopwatch::start();
        let looks = request.method() == Method::GET;
        loop {
            match self.once(request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(No::Unknown) if !looks => return Err(No::Unknown),
                Err(no) if away.elapsed() >= patience => return Err(no),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn once(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, No> {
        loop {
            let idle = self.idle().pop();
            let kept = idle.is_some();
            let mut sender = match idle {
                Some(sender) => sender,
                None => self.connect().await?,
            };
            let head = match sender.try_send_request(request).await {
                Ok(head) => head,
                Err(mut error) => match error.take_message() {
                    // It was closed meanwhile; nothing was sent.
                    Some(unsent) if kept => {
                        request = unsent;
                        continue;
                    }
                    Some(_) => return Err(No::Away),
                    None => return Err(No::Unknown),
                },
            };
            let (parts, body) = head.into_parts();
            let body = Limited::new(body, LARGEST).collect().await.map_err(|_| No::Unknown)?;
            if sender.ready().await.is_ok() {
                let mut idle = self.idle();
                if idle.len() < KEPT {
                    idle.push(sender);
                }
            }
            return Ok(Response::from_parts(parts, body.to_bytes()));
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, No> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|_| No::Away)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| No::Away)?;
        // It ends with the sender.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
