//! The machine: its clock, its disk, and what processes and threads take of it.

use std::{
    fs,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tollkeeper::Clock;
use tollkeeper_core::time::{MachineTime, Timestamp};

use crate::figures::{micros, percentile};

/// Both times as the product has them: read from the machine at every question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine;

impl Machine {
    #[expect(clippy::disallowed_methods, reason = "what is measured includes asking the machine for the time")]
    pub(crate) fn micros() -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(Self::micros())
    }

    fn machine_now(&self) -> MachineTime {
        MachineTime::from_micros(Self::micros())
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The processor's name, as the system tells it.
pub(crate) fn processor() -> String {
    let all = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = all.lines().find_map(|line| line.strip_prefix("model name")).and_then(|rest| rest.split_once(':'));
    name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

/// How busy the machine was in the last minute, as the system tells it.
pub(crate) fn load_average() -> String {
    let all = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    all.split(' ').next().unwrap_or_default().to_owned()
}

/// Refuses a folder in memory: there, nothing waits for a disk.
pub(crate) fn require_disk(folder: &Path) -> anyhow::Result<String> {
    let folder = fs::canonicalize(folder).with_context(|| format!("looking at {}", folder.display()))?;
    let mounts = fs::read_to_string("/proc/self/mounts").context("reading what is mounted where")?;
    let kind = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (place, kind) = (words.nth(1)?, words.next()?);
            folder.starts_with(place).then(|| (place.len(), kind.to_owned()))
        })
        .max()
        .map_or_else(|| "unknown".to_owned(), |(_, kind)| kind);
    ensure!(
        !matches!(kind.as_str(), "tmpfs" | "ramfs"),
        "{} is in memory ({kind}): name a folder on a disk with --folder",
        folder.display()
    );
    Ok(kind)
}

/// The middle time that the disk under `folder` takes to make 4 KiB durable, in microseconds.
pub(crate) fn fdatasync_p50(folder: &Path) -> anyhow::Result<u64> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::new();
    for _ in 0..300 {
        file.write_all(&[7; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(micros(begun.elapsed()));
    }
    Ok(percentile(&mut times, 50))
}

/// What this thread has had of a processor so far.
pub(crate) fn thread_time() -> Duration {
    let all = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(all.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// The memory that a process holds now, in KiB; `self` is this one.
pub(crate) fn resident_kib(process: &str) -> u64 {
    let all = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = all.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
