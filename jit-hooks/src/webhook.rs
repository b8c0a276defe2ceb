//! A webhook: one POST, bounded in time and in what is read, to exactly the address in the file.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jit_core::hook::WebhookUrl;
use jit_core::rootfile;
use jit_core::time::{Span, Timestamp};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::channel::{Answer, beginning};
use crate::event::Event;
use crate::signature;

/// How much is read of an answer; nothing goes by it.
const MOST_READ: u64 = 1024;
/// The largest file of trusted certificates: Debian's has a quarter of a megabyte.
const LARGEST_CA_FILE: u64 = 4 << 20;

/// Where a POST goes.
pub(crate) struct Webhook<'a> {
    pub(crate) url: &'a WebhookUrl,
    pub(crate) secret_file: &'a Path,
    pub(crate) ca_file: &'a Path,
    pub(crate) timeout: Span,
}

/// Posts an event. Read anew each time: secret and certificates, so that they can be changed.
pub(crate) fn post(webhook: &Webhook<'_>, event: &Event, now: Timestamp) -> Result<Answer, String> {
    let secret = signature::secret(webhook.secret_file).map_err(|e| e.to_string())?;
    let signature = signature::sign(&secret, now, &event.body).map_err(|e| e.to_string())?;
    let mut response = agent(webhook)?
        .post(webhook.url.expose())
        .header("Content-Type", "application/json")
        .header("Jit-Event", &event.action)
        .header("Jit-Delivery", &event.delivery)
        .header("Jit-Signature", signature)
        .send(&event.body)
        .map_err(|error| match error {
            // It would repeat the address, whose path may be a secret.
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => "the url can't be used".to_owned(),
            other => other.to_string(),
        })?;
    let status = response.status();
    let mut text = Vec::new();
    // What has come is enough: that the rest does not is no failure of the delivery.
    let _ = response.body_mut().as_reader().take(MOST_READ).read_to_end(&mut text);
    let answer = Answer { status: status.to_string(), text: beginning(&text) };
    match status.as_u16() {
        200..=299 => Ok(answer),
        300..=399 => Err(format!("it answered {status}: redirects are not followed")),
        _ => Err(format!("it answered {status}")),
    }
}

fn agent(webhook: &Webhook<'_>) -> Result<ureq::Agent, String> {
    let mut tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
    if webhook.url.is_https() {
        let certificates = trusted(webhook.ca_file)?;
        tls = tls.root_certs(RootCerts::Specific(Arc::new(certificates)));
    }
    let config = ureq::Agent::config_builder()
        .tls_config(tls.build())
        // From the environment, it would be.
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(webhook.timeout.secs())))
        .max_response_header_size(16 * 1024)
        .max_idle_connections(0)
        .user_agent(concat!("jit-hooks/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(config.new_agent())
}

/// The certificates in a file that only root may write.
pub(crate) fn trusted(file: &Path) -> Result<Vec<ureq::tls::Certificate<'static>>, String> {
    let text = rootfile::read(file, LARGEST_CA_FILE).map_err(|e| e.to_string())?;
    let certificates: Vec<_> = parse_pem(text.as_bytes())
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("{} holds no certificate", file.display()));
    }
    Ok(certificates)
}
