//! What is counted, in the text format of Prometheus.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The type of what [`Metrics::text`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// An endpoint, by its name in the table, and how it answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    endpoint: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

/// The counters.
pub struct Metrics {
    registry: Registry,
    answers: Family<Answer, Counter>,
    seconds: Family<Endpoint, Histogram>,
    /// Requests that wait for a change.
    pub waiting: Gauge,
    /// Certificates issued.
    pub issued: Counter,
    /// Answers that say that something here is wrong.
    errors: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("jit");
        let buckets = || Histogram::new(exponential_buckets(0.000_5, 2.0, 16));
        let metrics = Metrics {
            registry: Registry::default(),
            answers: Family::default(),
            seconds: Family::new_with_constructor(buckets),
            waiting: Gauge::default(),
            issued: Counter::default(),
            errors: Counter::default(),
        };
        let Metrics { answers, seconds, waiting, issued, errors, .. } = &metrics;
        registry.register("requests", "Requests, by endpoint and status", answers.clone());
        registry.register(
            "request_seconds",
            "How long answers took, waiting left out",
            seconds.clone(),
        );
        registry.register("waiting_clients", "Requests that wait for a change", waiting.clone());
        registry.register("certificates_issued", "Certificates issued", issued.clone());
        registry.register("errors", "Answers with a status of 500 and more", errors.clone());
        Metrics { registry, ..metrics }
    }
}

impl Metrics {
    /// Counts an answer.
    pub fn answered(&self, endpoint: Option<&'static str>, status: u16, took: Duration) {
        let endpoint = endpoint.unwrap_or("none");
        self.answers.get_or_create(&Answer { endpoint, status }).inc();
        self.seconds.get_or_create(&Endpoint { endpoint }).observe(took.as_secs_f64());
        if status >= 500 {
            self.errors.inc();
        }
    }

    /// All of it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_counted_by_endpoint_and_status() {
        let metrics = Metrics::default();
        metrics.answered(Some("me"), 200, Duration::from_millis(1));
        metrics.answered(Some("me"), 503, Duration::from_millis(1));
        metrics.answered(None, 404, Duration::ZERO);
        metrics.issued.inc();
        metrics.waiting.set(3);
        let text = metrics.text();
        for line in [
            "jit_requests_total{endpoint=\"me\",status=\"200\"} 1",
            "jit_requests_total{endpoint=\"none\",status=\"404\"} 1",
            "jit_request_seconds_count{endpoint=\"me\"} 2",
            "jit_waiting_clients 3",
            "jit_certificates_issued_total 1",
            "jit_errors_total 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}:\n{text}");
        }
    }
}
