//! Limits of the control groups that the process is in, of both versions. Formats: cgroups(7), proc_pid_cgroup(5),
//! proc_pid_mountinfo(5), and the kernel's Documentation/admin-guide/cgroup-v2.rst.

use std::path::{Path, PathBuf};

/// The lowest limits of a group and those above it; None where there is none.
#[derive(Debug, Default, PartialEq)]
pub struct Limits {
    pub cpus: Option<f64>,
    pub memory_bytes: Option<u64>,
}

/// A version 1 memory limit above this stands for none: the largest multiple of a page.
const UNLIMITED_BYTES: u64 = 1 << 62;

/// Reads a file, none where it can't be.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// `groups` is /proc/self/cgroup, `mounts` /proc/self/mountinfo.
pub fn limits(groups: &str, mounts: &str, read: ReadFile<'_>) -> Limits {
    let mut found = Limits::default();
    for line in groups.lines() {
        // hierarchy:controllers:path; version 2 names no controllers.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let has = |name| controllers.split(',').any(|controller| controller == name);
        let unified = controllers.is_empty();
        if !unified && !has("cpu") && !has("memory") {
            continue;
        }
        for directory in directories(mounts, controllers, group) {
            let file = |name: &str| read(&directory.join(name));
            if unified {
                note_cpus(&mut found, file("cpu.max").and_then(|text| quota(&text)));
                note_memory(&mut found, file("memory.max"));
            }
            if has("cpu") {
                let quota = file("cpu.cfs_quota_us")
                    .zip(file("cpu.cfs_period_us"))
                    .and_then(|(quota_us, period_us)| {
                        quota(&format!("{} {}", quota_us.trim(), period_us.trim()))
                    });
                note_cpus(&mut found, quota);
            }
            if has("memory") {
                note_memory(&mut found, file("memory.limit_in_bytes"));
            }
        }
    }
    found
}

/// The group's directory and those above it, as far as they are mounted: a limit holds for all below.
fn directories(mounts: &str, controllers: &str, group: &str) -> Vec<PathBuf> {
    let Some((root, mount_point)) = mount(mounts, controllers) else {
        return Vec::new();
    };
    // In a container the mount may begin at the group itself.
    let below = Path::new(group)
        .strip_prefix(root)
        .or_else(|_| Path::new(group).strip_prefix("/"))
        .unwrap_or(Path::new(""));
    let mount_point = Path::new(mount_point);
    mount_point
        .join(below)
        .ancestors()
        .take_while(|directory| directory.starts_with(mount_point))
        .map(Path::to_path_buf)
        .collect()
}

/// Root and mount point of the hierarchy with these controllers.
fn mount<'a>(mounts: &'a str, controllers: &str) -> Option<(&'a str, &'a str)> {
    mounts.lines().find_map(|line| {
        let (before, behind) = line.split_once(" - ")?;
        let mut behind = behind.split(' ');
        let (kind, options) = (behind.next()?, behind.nth(1)?);
        let fits = match kind {
            "cgroup2" => controllers.is_empty(),
            "cgroup" => {
                !controllers.is_empty()
                    && controllers
                        .split(',')
                        .all(|controller| options.split(',').any(|option| option == controller))
            }
            _ => false,
        };
        let mut before = before.split(' ').skip(3);
        fits.then_some((before.next()?, before.next()?))
    })
}

/// `quota period` in microseconds, as CPUs; `max`, or a quota of -1, is none.
fn quota(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

fn note_cpus(found: &mut Limits, cpus: Option<f64>) {
    if let Some(cpus) = cpus {
        found.cpus = Some(found.cpus.map_or(cpus, |known| known.min(cpus)));
    }
}

fn note_memory(found: &mut Limits, text: Option<String>) {
    let bytes = text.and_then(|text| text.trim().parse::<u64>().ok());
    if let Some(bytes) = bytes.filter(|bytes| *bytes < UNLIMITED_BYTES) {
        found.memory_bytes = Some(found.memory_bytes.map_or(bytes, |known| known.min(bytes)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits_of(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Limits {
        limits(groups, mounts, &|path| {
            files
                .iter()
                .find(|(name, _)| Path::new(name) == path)
                .map(|(_, text)| (*text).to_owned())
        })
    }

    const UNIFIED: &str =
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn the_lowest_limit_on_the_way_up_holds() {
        let limits = limits_of(
            "0::/service.slice/app\n",
            UNIFIED,
            &[
                (
                    "/sys/fs/cgroup/service.slice/app/cpu.max",
                    "150000 100000\n",
                ),
                ("/sys/fs/cgroup/service.slice/app/memory.max", "max\n"),
                ("/sys/fs/cgroup/service.slice/cpu.max", "max 100000\n"),
                ("/sys/fs/cgroup/service.slice/memory.max", "1073741824\n"),
                ("/sys/fs/cgroup/memory.max", "2147483648\n"),
            ],
        );
        assert_eq!(limits.cpus, Some(1.5));
        assert_eq!(limits.memory_bytes, Some(1 << 30));
    }

    #[test]
    fn version_1_has_a_hierarchy_for_each_controller() {
        let mounts =
            "33 32 0:30 /docker/x /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n\
                      34 32 0:31 / /sys/fs/cgroup/memory ro - cgroup memory rw,memory\n";
        let files = [
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            (
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("/sys/fs/cgroup/memory/app/memory.limit_in_bytes", "4096\n"),
        ];
        let groups = "9:name=systemd:/x\n4:cpu,cpuacct:/docker/x\n3:memory:/app\n2:pids:/\n";
        let limits = limits_of(groups, mounts, &files);
        assert_eq!(limits.cpus, Some(0.5));
        assert_eq!(limits.memory_bytes, Some(4096));
        let limits = limits_of("3:memory:/\n", mounts, &files);
        assert_eq!(limits, Limits::default(), "the huge number stands for none");
    }

    #[test]
    fn no_groups_and_nonsense_are_no_limits() {
        for groups in ["", "0::/\n", "what is this", "0:::::", "1:cpu:/\n"] {
            assert_eq!(limits_of(groups, UNIFIED, &[]), Limits::default());
        }
        let files = [
            ("/sys/fs/cgroup/cpu.max", "0 0"),
            ("/sys/fs/cgroup/memory.max", "-1"),
        ];
        assert_eq!(limits_of("0::/\n", UNIFIED, &files), Limits::default());
        assert_eq!(
            limits_of("0::/\n", "30 23 - cgroup2", &files),
            Limits::default()
        );
    }
}
