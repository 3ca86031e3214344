//! Finds the files to run, and refuses files that would never be run.

use std::fs;
use std::path::{Path, PathBuf};

/// All `.test` files below `directory`, in a stable order.
///
/// Any other file there is an error: a test under a misspelled name would be skipped for ever.
pub fn test_files(directory: &Path, filter: Option<&str>) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    collect(directory, &mut files)?;
    files.sort();
    if let Some(stray) = files
        .iter()
        .find(|file| file.extension().is_none_or(|it| it != "test"))
    {
        return Err(format!(
            "{}: only .test files belong below {}; this one would never be run",
            stray.display(),
            directory.display()
        ));
    }
    if let Some(filter) = filter {
        files.retain(|file| file.to_string_lossy().contains(filter));
    }
    if files.is_empty() {
        return Err(format!(
            "no .test file to run below {}",
            directory.display()
        ));
    }
    Ok(files)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let unreadable = |error| format!("cannot read {}: {error}", directory.display());
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        directory
    }

    #[test]
    fn files_in_nested_folders_are_found_in_order() {
        let directory = tree(&["b.test", "a/z.test", "a/b/c.test"]);
        let files = test_files(directory.path(), None).unwrap();
        let names: Vec<_> = files
            .iter()
            .map(|file| file.strip_prefix(directory.path()).unwrap())
            .collect();
        assert_eq!(names, ["a/b/c.test", "a/z.test", "b.test"].map(Path::new));
    }

    #[test]
    fn filter_keeps_what_matches() {
        let directory = tree(&["record/a.test", "stats/a.test"]);
        assert_eq!(
            test_files(directory.path(), Some("stats/")).unwrap().len(),
            1
        );
    }

    #[test]
    fn misnamed_file_is_refused() {
        let directory = tree(&["a.test", "b.tset"]);
        assert!(test_files(directory.path(), None)
            .unwrap_err()
            .contains("b.tset"));
    }

    #[test]
    fn nothing_to_run_is_refused() {
        let directory = tree(&["a.test"]);
        assert!(test_files(directory.path(), Some("nothing")).is_err());
        assert!(test_files(tree(&[]).path(), None).is_err());
    }
}
