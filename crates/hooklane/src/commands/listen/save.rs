//! `--save DIR`: each raw body in a numbered file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

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
            let number = name
                .to_str()
                .and_then(|name| name.strip_suffix(".json")?.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok(Self {
            path: path.to_owned(),
            next: last + 1,
        })
    }

    /// Writes a body, byte for byte, and returns the name of its file.
    pub(super) fn save(&mut self, body: &[u8]) -> anyhow::Result<String> {
        let path = self.path.join(format!("{:06}.json", self.next));
        let written = fs::File::create_new(&path).and_then(|mut file| file.write_all(body));
        written.with_context(|| format!("cannot save {}", path.display()))?;
        self.next += 1;
        Ok(path.display().to_string())
    }
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
}
