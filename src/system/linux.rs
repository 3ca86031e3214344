//! Linux: the files under /proc/self. Formats: proc(5).

use super::cgroup;
use super::usage::Usage;
use std::fs;
use std::path::Path;

impl Usage {
    /// Takes some 50 µs; it opens about ten files under /proc and the cgroups.
    pub fn sample() -> Usage {
        let stat = read("/proc/self/stat").and_then(|text| Stat::parse(&text));
        let io = read("/proc/self/io").unwrap_or_default();
        let groups = read("/proc/self/cgroup").unwrap_or_default();
        let mounts = read("/proc/self/mountinfo").unwrap_or_default();
        let limits = cgroup::limits(&groups, &mounts, &|path: &Path| {
            fs::read_to_string(path).ok()
        });
        let memory = read("/proc/meminfo").and_then(|text| memory_total(&text));
        let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
        let page = rustix::param::page_size() as u64;
        Usage {
            cpu_seconds: stat
                .as_ref()
                .map(|stat| stat.cpu_ticks as f64 / ticks_per_second),
            resident_bytes: stat
                .as_ref()
                .map(|stat| stat.resident_pages.saturating_mul(page)),
            virtual_bytes: stat.as_ref().map(|stat| stat.virtual_bytes),
            threads: stat.as_ref().map(|stat| stat.threads),
            // The directory's own descriptor is one of those found.
            open_fds: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|descriptors| (descriptors.count() as u64).saturating_sub(1)),
            max_fds: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
            start_time_seconds: stat
                .as_ref()
                .zip(boot_time_seconds())
                .map(|(stat, boot)| boot + stat.started_ticks as f64 / ticks_per_second),
            disk_read_bytes: field(&io, "read_bytes:"),
            disk_written_bytes: field(&io, "write_bytes:"),
            machine_cpus: lower(affinity(), limits.cpus, f64::min),
            machine_memory_bytes: lower(memory, limits.memory_bytes, u64::min),
        }
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The lower one of what is known.
fn lower<T>(one: Option<T>, other: Option<T>, lower: fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(lower(one, other)),
        (one, other) => one.or(other),
    }
}

/// CPUs that the scheduler may put the process on.
fn affinity() -> Option<f64> {
    rustix::thread::sched_getaffinity(None)
        .ok()
        .map(|cpus| f64::from(cpus.count()))
}

/// It changes with every correction of the clock, so it is read anew.
fn boot_time_seconds() -> Option<f64> {
    field(&read("/proc/stat")?, "btime ").map(|seconds| seconds as f64)
}

/// The number behind a name at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
}

fn memory_total(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemTotal:").map(|kibibytes| kibibytes.saturating_mul(1024))
}

/// What is needed of /proc/self/stat.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    /// Since boot.
    started_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the command's name in brackets, and may have blanks and brackets in it.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // proc(5) counts from 1; the field behind the name is number 3.
        let number = |position: usize| fields.get(position - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: number(14)? + number(15)?,
            threads: number(20)?,
            started_ticks: number(22)?,
            virtual_bytes: number(23)?,
            resident_pages: number(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_blanks_and_brackets_is_no_trouble() {
        let text = "4242 (a (b) c) S 1 2 3 0 -1 4194304 9 8 7 6 150 50 1 2 20 0 12 0 3000 123456789 250 18446744073709551615 1 1";
        assert_eq!(
            Stat::parse(text),
            Some(Stat {
                cpu_ticks: 200,
                threads: 12,
                started_ticks: 3000,
                virtual_bytes: 123_456_789,
                resident_pages: 250,
            })
        );
        assert_eq!(Stat::parse("4242 (short) S 1 2"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let io = "rchar: 9\ncancelled_write_bytes: 7\nread_bytes: 4096\nwrite_bytes: 8192\n";
        assert_eq!(field(io, "read_bytes:"), Some(4096));
        assert_eq!(field(io, "write_bytes:"), Some(8192));
        assert_eq!(field(io, "bytes:"), None);
        assert_eq!(memory_total("MemTotal:   2048 kB\n"), Some(2_097_152));
        assert_eq!(
            field("cpu 1 2\nbtime 1700000000\n", "btime "),
            Some(1_700_000_000)
        );
    }
}
