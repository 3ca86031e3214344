//! What the operating system says and does: the time, which process this is and what becomes of a forked one, what the
//! process uses and what its machine has.
//!
//! Pure: it knows nothing of a log. A figure that cannot be read, or is not known on this system, is None.

#[cfg(target_os = "linux")]
mod cgroup;
pub mod clock;
mod disk;
#[cfg(unix)]
#[allow(unsafe_code)]
mod fork_files;
#[allow(unsafe_code)]
mod fork_mark;
mod history;
#[cfg(target_os = "linux")]
mod linux;
pub mod process;
mod trusted_clock;
mod uptime;
mod usage;

pub use disk::Disk;
#[cfg(unix)]
pub use fork_files::ClosedInChild;
pub use history::{History, Sample, HISTORY_US, SAMPLE_INTERVAL_US};
pub use trusted_clock::{Leap, Remembered, TrustedClock, PROOF};
pub use uptime::Uptime;
pub use usage::Usage;
