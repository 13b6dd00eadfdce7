//! `--save DIR`: each raw body in a numbered file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The longest number that a file of ours can have: whatever a stranger's file is called, there is a next one.
const MOST_DIGITS: usize = 18;

/// A directory whose files are numbered on from what is there; nothing is overwritten.
pub(super) struct Directory {
    path: PathBuf,
    next: u64,
}

impl Directory {
    /// Opens the directory, and makes it if it is not there.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let what = || format!("cannot save to {}", path.display());
        fs::create_dir_all(path).with_context(what)?;
        let mut last = 0;
        for entry in fs::read_dir(path).with_context(what)? {
            let name = entry.with_context(what)?.file_name();
            last = last.max(name.to_str().and_then(number).unwrap_or(0));
        }
        Ok(Self {
            path: path.to_owned(),
            next: last + 1,
        })
    }

    /// Writes a body, byte for byte, for its owner alone, and returns the name of its file.
    pub(super) fn save(&mut self, body: &[u8]) -> anyhow::Result<String> {
        let (path, file) = self.next_file();
        let written = file.and_then(|mut file| file.write_all(body));
        written.with_context(|| format!("cannot save {}", path.display()))?;
        Ok(path.display().to_string())
    }

    /// A file that was not there: somebody else may write to the directory too.
    fn next_file(&mut self) -> (PathBuf, io::Result<File>) {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        loop {
            let path = self.path.join(format!("{:06}.json", self.next));
            self.next += 1;
            match options.open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                file => return (path, file),
            }
        }
    }
}

/// The number of a file of ours.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let is_ours = digits.len() <= MOST_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_ours.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_numbered_on_and_kept_byte_for_byte() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("bodies");
        let mut first = Directory::open(&path).expect("made");
        first.save(b"{\"a\": 1 }").expect("saved");
        first.save(b"\xff\x00").expect("saved");
        let third = Directory::open(&path)
            .expect("opened")
            .save(b"")
            .expect("saved");
        assert!(third.ends_with("000003.json"), "{third}");
        assert_eq!(
            fs::read(path.join("000001.json")).expect("there"),
            b"{\"a\": 1 }"
        );
        assert_eq!(
            fs::read(path.join("000002.json")).expect("there"),
            b"\xff\x00"
        );
    }

    #[test]
    fn a_body_is_its_owners_alone_to_read() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().expect("a directory");
        let mut saving = Directory::open(directory.path()).expect("opened");
        let saved = saving.save(b"personal").expect("saved");
        let mode = fs::metadata(saved).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn whatever_files_there_are_there_is_a_next_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        for strangers in [
            "18446744073709551615.json",
            "18446744073709551616.json",
            "9999999999999999999.json",
            "+7.json",
            "-1.json",
            ".json",
            "notes.json",
        ] {
            fs::write(path.join(strangers), "").expect("written");
        }
        let mut saving = Directory::open(path).expect("opened");
        assert!(saving.save(b"").expect("saved").ends_with("/000001.json"));
        fs::write(path.join("000002.json"), "another's").expect("written");
        assert!(saving.save(b"").expect("saved").ends_with("/000003.json"));
        fs::write(path.join("999999999999999999.json"), "").expect("written");
        let mut saving = Directory::open(path).expect("opened");
        let saved = saving.save(b"").expect("saved");
        assert!(saved.ends_with("/1000000000000000000.json"), "{saved}");
    }
}
