//! Who may read a file: what belongs to a database is no more open than that.
//!
//! The umask alone would make a file that has the texts of a database's operations readable by everybody, where somebody
//! has closed the database itself.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes a new, empty file for reading and appending, which is open to those who may read or write `like`, less whom the
/// umask keeps out. It is an error if there is one of that name. Where `like` is not there, the file is its owner's alone.
pub fn create_like(path: &Path, like: &Path) -> io::Result<File> {
    system::create_like(path, like)
}

/// Takes away from a file what `like` does not permit, and says whether there was something. Nothing is added.
pub fn restrict(path: &Path, like: &Path) -> io::Result<bool> {
    system::restrict(path, like)
}

#[cfg(unix)]
mod system {
    use super::super::open::{open_regular, open_with, Mode};
    use super::*;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};

    const OWNER: u32 = 0o600;
    const GROUP: u32 = 0o060;
    const ALL: u32 = 0o666;

    pub fn create_like(path: &Path, like: &Path) -> io::Result<File> {
        let like = std::fs::metadata(like).ok();
        let wanted = like.as_ref().map_or(OWNER, |like| like.mode() & ALL) | OWNER;
        let mut options = File::options();
        options
            .create_new(true)
            .read(true)
            .append(true)
            .mode(wanted);
        let file = open_with(path, options)?;
        if let Some(like) = like.filter(|_| wanted & GROUP != 0) {
            // Another group than that of `like` must not get what that group may do.
            if file.metadata()?.gid() != like.gid() {
                exclude_group(&file)?;
            }
        }
        Ok(file)
    }

    fn exclude_group(file: &File) -> io::Result<()> {
        let mode = file.metadata()?.mode() & ALL & !GROUP;
        file.set_permissions(std::fs::Permissions::from_mode(mode))
    }

    pub fn restrict(path: &Path, like: &Path) -> io::Result<bool> {
        let like = std::fs::metadata(like)?;
        let file = open_regular(path, Mode::Read)?;
        let now = file.metadata()?;
        let mut wanted = now.mode() & (like.mode() | OWNER);
        if now.gid() != like.gid() {
            wanted &= !GROUP;
        }
        if wanted == now.mode() {
            return Ok(false);
        }
        file.set_permissions(std::fs::Permissions::from_mode(wanted & 0o7777))?;
        Ok(true)
    }
}

#[cfg(not(unix))]
mod system {
    use super::*;

    pub fn create_like(path: &Path, _like: &Path) -> io::Result<File> {
        File::options()
            .create_new(true)
            .read(true)
            .append(true)
            .open(path)
    }

    /// Files have what their directory says there.
    pub fn restrict(_path: &Path, _like: &Path) -> io::Result<bool> {
        Ok(false)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::files::tests::in_directory;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_new_file_is_no_more_open_than_its_like() {
        in_directory(|directory| {
            let like = directory.join("like");
            std::fs::write(&like, b"").unwrap();
            for like_mode in [0o600, 0o640, 0o644, 0o666, 0o400, 0o777] {
                set_mode(&like, like_mode);
                let path = directory.join(format!("new-{like_mode:o}"));
                create_like(&path, &like).unwrap();
                assert_eq!(mode(&path) & !(like_mode | 0o600), 0, "{like_mode:o}");
                assert_eq!(mode(&path) & 0o700, 0o600, "{like_mode:o}");
                assert!(create_like(&path, &like).is_err(), "there is one");
            }
            let alone = directory.join("alone");
            create_like(&alone, &directory.join("missing")).unwrap();
            assert_eq!(mode(&alone), 0o600);
        });
    }

    #[test]
    fn permissions_are_taken_away_and_never_added() {
        in_directory(|directory| {
            let (like, path) = (directory.join("like"), directory.join("file"));
            std::fs::write(&like, b"").unwrap();
            std::fs::write(&path, b"").unwrap();
            for (before, like_mode, after) in [
                (0o644, 0o600, 0o600),
                (0o600, 0o644, 0o600),
                (0o664, 0o640, 0o640),
                (0o644, 0o400, 0o600),
            ] {
                set_mode(&path, before);
                set_mode(&like, like_mode);
                assert_eq!(restrict(&path, &like).unwrap(), before != after);
                assert_eq!(mode(&path), after, "{before:o} {like_mode:o}");
            }
        });
    }
}
