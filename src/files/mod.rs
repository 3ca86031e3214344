//! Files beside a log: opened without following a link or waiting for anybody, locked so that nothing but the end of the
//! holder takes the lock away, and no more open to others than the database that they belong to.

mod access;
mod lock;
mod open;

pub use access::{create_like, restrict};
pub use lock::{is_at, is_locked, Lock};
pub use open::{open_regular, Mode};

#[cfg(test)]
mod tests {
    use std::path::Path;

    pub fn in_directory(test: impl FnOnce(&Path)) {
        let directory = std::env::temp_dir().join(format!("oplog-files-{:x}", fastrand::u64(..)));
        std::fs::create_dir_all(&directory).unwrap();
        test(&directory);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
