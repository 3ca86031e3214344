//! How long the machine has been running: a clock that nobody sets, and that goes on from one process to the next.

/// A moment of a machine's run. Two moments of the same run say how much time is between them, whatever the wall clock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uptime {
    /// Another one after each boot.
    pub boot_id: String,
    pub up_us: i64,
}

impl Uptime {
    /// None where it cannot be told: it takes the files of Linux, proc(5).
    #[cfg(target_os = "linux")]
    pub fn now() -> Option<Self> {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        Self::parse(
            &read("/proc/sys/kernel/random/boot_id")?,
            &read("/proc/uptime")?,
        )
    }

    #[cfg(not(target_os = "linux"))]
    pub fn now() -> Option<Self> {
        None
    }

    #[cfg(any(target_os = "linux", test))]
    fn parse(boot_id: &str, uptime: &str) -> Option<Self> {
        let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        Some(Self {
            boot_id: boot_id.trim().to_owned(),
            up_us: (seconds * 1e6) as i64,
        })
    }

    /// The time from an earlier moment to this one; none if that was of another run. Containers may have clocks of their own, so
    /// that one which goes back is of another run too.
    pub fn since_us(&self, earlier: &Self) -> Option<i64> {
        let is_same_run = self.boot_id == earlier.boot_id && self.up_us >= earlier.up_us;
        is_same_run.then(|| self.up_us - earlier.up_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_within_one_run_of_the_machine() {
        let at = |boot_id: &str, seconds: &str| Uptime::parse(boot_id, seconds).unwrap();
        let earlier = at("0f3c\n", "100.25 350.00\n");
        assert_eq!(
            at("0f3c", "160.75 600.0").since_us(&earlier),
            Some(60_500_000)
        );
        assert_eq!(at("9a1b", "160.75 600.0").since_us(&earlier), None);
        assert_eq!(at("0f3c", "20.00 30.00").since_us(&earlier), None);
        assert_eq!(Uptime::parse("0f3c", ""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_says_it() {
        let first = Uptime::now().unwrap();
        assert!(first.boot_id.len() > 10 && first.up_us > 0);
        assert!(Uptime::now().unwrap().since_us(&first).is_some());
    }
}
