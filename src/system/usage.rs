//! What the process uses and what its machine has.

/// One look at the process and its machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time of all threads since the process began, in user and kernel mode.
    pub cpu_seconds: Option<f64>,
    pub resident_bytes: Option<u64>,
    pub virtual_bytes: Option<u64>,
    pub threads: Option<u64>,
    pub open_fds: Option<u64>,
    /// The soft limit; None where there is none.
    pub max_fds: Option<u64>,
    /// Seconds since 1970.
    pub start_time_seconds: Option<f64>,
    /// What reached the disk, and not only the page cache.
    pub disk_read_bytes: Option<u64>,
    pub disk_written_bytes: Option<u64>,
    /// CPUs that the process may use at once: its affinity, or a cgroup's quota where that is lower.
    pub machine_cpus: Option<f64>,
    /// Memory that the process may use: the machine's, or a cgroup's limit where that is lower.
    pub machine_memory_bytes: Option<u64>,
}

#[cfg(not(target_os = "linux"))]
impl Usage {
    /// Nothing is known here.
    pub fn sample() -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_figures() {
        let sample = Usage::sample();
        assert!(sample.cpu_seconds.is_some(), "{sample:?}");
        assert!(sample.resident_bytes > Some(100_000), "{sample:?}");
        assert!(sample.virtual_bytes > sample.resident_bytes, "{sample:?}");
        assert!(sample.threads >= Some(1), "{sample:?}");
        assert!(sample.open_fds >= Some(3), "{sample:?}");
        assert!(sample.machine_cpus > Some(0.0), "{sample:?}");
        assert!(
            sample.machine_memory_bytes > sample.resident_bytes,
            "{sample:?}"
        );
        let now = crate::system::clock::now_us() as f64 / 1e6;
        let started = sample.start_time_seconds.unwrap();
        // A boot time of whole seconds, and what the clock was corrected by since.
        assert!(started < now + 2.0 && started > now - 86_400.0, "{started}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn work_costs_cpu_time() {
        let before = Usage::sample().cpu_seconds.unwrap();
        let start = std::time::Instant::now();
        let mut sum = 0u64;
        while Usage::sample().cpu_seconds.unwrap() < before + 0.05 {
            sum = std::hint::black_box(sum.wrapping_mul(31) + 1);
            assert!(start.elapsed().as_secs() < 60);
        }
    }
}
