//! Drops dead letters: each is written to a file first, and the file can be imported.

use std::collections::VecDeque;

use tokio_util::sync::CancellationToken;

use crate::moves::{self, Place, Put};
use crate::order::Item;
use crate::{Audit, Letter, LetterFile, Outcome, Progress, Taken};

/// Writes letters in hand to a file and deletes each once the file holds it, whatever happens to the machine. What
/// was not written is given back.
///
/// Do not drop this future while it runs: cancel `stop`.
pub async fn drop_letters(
    taken: Taken,
    file: LetterFile,
    audit: &Audit,
    stop: &CancellationToken,
    progress: impl FnMut(Progress),
) -> Outcome {
    let queue_url = taken.sweep.queue.url().to_owned();
    moves::run(taken, Drop { file, queue_url }, None, audit, stop, progress).await
}

struct Drop {
    file: LetterFile,
    queue_url: String,
}

impl Place for Drop {
    const ACTION: &'static str = "drop";

    fn lines(&self, letters: Vec<Letter>) -> Vec<VecDeque<Item>> {
        let alone = |letter| VecDeque::from([Item::alone(letter)]);
        letters.into_iter().map(alone).collect()
    }

    async fn put(&mut self, letters: &[&Letter]) -> Vec<Put> {
        let path = self.file.path().display().to_string();
        let mut write = || -> std::io::Result<()> {
            for letter in letters {
                self.file.write(letter, &self.queue_url)?;
            }
            self.file.sync()
        };
        let put = match write() {
            Ok(()) => Put::Safe(path),
            Err(error) => Put::Halt(format!("{path} cannot be written: {error}")),
        };
        vec![put; letters.len()]
    }

    fn name(&self) -> String {
        self.file.path().display().to_string()
    }
}
