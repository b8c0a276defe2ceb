//! What wakes those who wait: something was written to the store, by this process or another.

use std::time::Duration;

use tokio::sync::watch;

/// How often the store is looked at for what other processes wrote.
pub const LOOK: Duration = Duration::from_millis(100);

/// Tells of changes.
#[derive(Clone)]
pub struct Changes(watch::Sender<u64>);

/// Hears of changes since it was made.
pub struct Since(watch::Receiver<u64>);

impl Changes {
    /// Nothing has changed yet.
    pub fn new() -> Self {
        Changes(watch::Sender::new(0))
    }

    /// Something has changed.
    pub fn tell(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// To be made before looking at the store, so that no change falls in between.
    pub fn since(&self) -> Since {
        Since(self.0.subscribe())
    }
}

impl Since {
    /// Resolves with the next change.
    pub async fn changed(&mut self) {
        // The sender lives as long as those who wait.
        let _ = self.0.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_between_looking_and_waiting_is_heard_of() {
        let changes = Changes::new();
        let mut since = changes.since();
        changes.tell();
        tokio::time::timeout(Duration::from_secs(5), since.changed()).await.unwrap();
        let again = tokio::time::timeout(Duration::from_millis(20), since.changed()).await;
        assert!(again.is_err(), "and once");
    }
}
