//! The one place that reads a clock. Everything else is handed the time.

use std::sync::Mutex;

use nix::time::{ClockId, clock_gettime};

use crate::error::{Error, Result};
use crate::time::Timestamp;

/// A moment that no change of the wall clock moves: milliseconds since boot, suspend included
/// (`CLOCK_BOOTTIME`), and which boot that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootMoment {
    /// `/proc/sys/kernel/random/boot_id`, without dashes.
    pub boot_id: String,
    /// Milliseconds since that boot.
    pub millis: u64,
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The wall clock.
    ///
    /// # Errors
    /// Unavailable when the clock stands before 1970.
    fn now(&self) -> Result<Timestamp>;

    /// The boot clock.
    ///
    /// # Errors
    /// Unavailable when the kernel doesn't tell.
    fn boot(&self) -> Result<BootMoment>;
}

/// The machine's clocks.
#[derive(Clone, Debug, Default)]
pub struct SystemClock {
    boot_id: Option<String>,
}

impl SystemClock {
    /// With what systemd says of the boot. A service that it keeps from the kernel's settings may
    /// see another boot id in there than everybody else: in a container, that of the machine around.
    pub fn of_boot(boot_id: &str) -> Self {
        SystemClock { boot_id: Some(plain(boot_id)) }
    }
}

/// A boot id without the dashes, with which the kernel writes it and systemd does not.
fn plain(boot_id: &str) -> String {
    boot_id.trim().replace('-', "")
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> Result<Timestamp> {
        let time = clock_gettime(ClockId::CLOCK_REALTIME)
            .map_err(|e| Error::unavailable(format!("the clock can't be read: {e}")))?;
        u64::try_from(time.tv_sec()).ok().map_or_else(
            || {
                Err(Error::unavailable("the clock stands before 1970")
                    .next("Set it: timedatectl set-ntp true, or date -s."))
            },
            Timestamp::from_unix,
        )
    }

    #[allow(clippy::disallowed_methods)]
    fn boot(&self) -> Result<BootMoment> {
        let unreadable = |e: &dyn std::fmt::Display| {
            Error::unavailable(format!("the boot clock can't be read: {e}"))
        };
        let time = clock_gettime(ClockId::CLOCK_BOOTTIME).map_err(|e| unreadable(&e))?;
        let boot_id = match &self.boot_id {
            Some(boot_id) => boot_id.clone(),
            None => plain(
                &std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
                    .map_err(|e| unreadable(&e))?,
            ),
        };
        let seconds = u64::try_from(time.tv_sec()).map_err(|e| unreadable(&e))?;
        let millis = u64::try_from(time.tv_nsec()).map_err(|e| unreadable(&e))? / 1_000_000;
        Ok(BootMoment { boot_id, millis: seconds * 1000 + millis })
    }
}

/// How long something takes, which no change of the wall clock touches. Measures, decides nothing
/// about access.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    #[allow(clippy::disallowed_methods)]
    pub fn start() -> Self {
        Stopwatch(std::time::Instant::now())
    }

    /// Since then.
    pub fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}

/// A clock for tests: it stands still until it is set. Wall and boot clock move apart, as they do
/// where somebody sets the wall clock.
#[derive(Debug)]
pub struct ManualClock {
    time: Mutex<(i64, u64)>,
}

impl ManualClock {
    /// A clock that stands at `unix` seconds, an hour after boot.
    pub fn at(unix: i64) -> Self {
        ManualClock { time: Mutex::new((unix, 3_600_000)) }
    }

    /// Lets `seconds` go by, on both clocks.
    pub fn pass(&self, seconds: u32) {
        let mut time = self.lock();
        time.0 += i64::from(seconds);
        time.1 += u64::from(seconds) * 1000;
    }

    /// Sets the wall clock alone.
    pub fn set_wall(&self, unix: i64) {
        self.lock().0 = unix;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (i64, u64)> {
        self.time.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Result<Timestamp> {
        u64::try_from(self.lock().0)
            .map_err(|_| Error::unavailable("the clock stands before 1970"))
            .and_then(Timestamp::from_unix)
    }

    fn boot(&self) -> Result<BootMoment> {
        Ok(BootMoment { boot_id: "manual".into(), millis: self.lock().1 })
    }
}
