//! What the front turns away by itself, and so the signer never hears of, in the text format of
//! Prometheus.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How the text of a registry ends (OpenMetrics 1.0, `metricset`).
const END: &str = "# EOF\n";

/// Why something was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There were as many connections as there may be.
    Connections,
    /// The address had as many as it may have.
    ConnectionsOfAddress,
    /// It was the oldest of whoever had the most, and somebody else came.
    MadeRoom,
    /// The TLS handshake failed.
    Handshake,
    /// The TLS handshake did not come to its end in time.
    HandshakeSlow,
    /// No head came in time: a slow one, or none at all on a connection that was left open.
    HeadSlow,
    /// The head was too large.
    HeadLarge,
    /// No HTTP.
    HeadInvalid,
    /// The address asked too often.
    RateOfAddress,
    /// Whoever it says that it is asked too often.
    RateOfPerson,
    /// The path was too long, or none.
    Path,
    /// The body was too large.
    BodyLarge,
    /// The body did not come in time.
    BodySlow,
    /// The body ended before its end.
    BodyCut,
    /// The signer was away, or went away.
    Signer,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::Connections => "connections",
            Reason::ConnectionsOfAddress => "connections-of-address",
            Reason::MadeRoom => "made-room",
            Reason::Handshake => "handshake",
            Reason::HandshakeSlow => "handshake-slow",
            Reason::HeadSlow => "head-slow",
            Reason::HeadLarge => "head-large",
            Reason::HeadInvalid => "head-invalid",
            Reason::RateOfAddress => "rate-of-address",
            Reason::RateOfPerson => "rate-of-person",
            Reason::Path => "path",
            Reason::BodyLarge => "body-large",
            Reason::BodySlow => "body-slow",
            Reason::BodyCut => "body-cut",
            Reason::Signer => "signer",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

/// The counters.
pub struct Metrics {
    registry: Registry,
    refused: Family<Refused, Counter>,
    /// Open connections.
    pub connections: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("jit_front");
        let (refused, connections) = (Family::<Refused, Counter>::default(), Gauge::default());
        registry.register("refused", "What was turned away, by reason", refused.clone());
        registry.register("connections", "Open connections", connections.clone());
        Metrics { registry, refused, connections }
    }
}

impl Metrics {
    /// Counts what was turned away.
    pub fn refused(&self, reason: Reason) {
        self.refused.get_or_create(&Refused { reason: reason.as_str() }).inc();
    }

    /// The signer's metrics, and these.
    pub fn added_to(&self, signers: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(signers);
        let mut text = text.strip_suffix(END).unwrap_or(&text).to_owned();
        // Writing to a string does not fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_eof(&mut text);
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fronts_metrics_come_after_the_signers_and_the_end_is_the_last_line() {
        let metrics = Metrics::default();
        metrics.refused(Reason::BodyLarge);
        metrics.refused(Reason::BodyLarge);
        metrics.connections.inc();
        let text = metrics.added_to(b"jit_errors_total 0\n# EOF\n");
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("jit_errors_total 0\n# HELP jit_front_"), "{text}");
        assert!(text.contains("\njit_front_refused_total{reason=\"body-large\"} 2\n"), "{text}");
        assert!(text.contains("\njit_front_connections 1\n"), "{text}");
        assert!(text.ends_with(END) && text.matches("# EOF").count() == 1, "{text}");
    }
}
