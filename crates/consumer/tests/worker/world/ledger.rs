//! A ledger that can be broken and mended: its table is renamed by somebody else.

use std::time::Duration;

use store::{Ledger, LedgerSpec};

use super::World;

pub(crate) struct Breakable {
    path: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Breakable {
    pub(crate) async fn under(world: &mut World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let spec = LedgerSpec::Sqlite(path.clone());
        world.ledger = Ledger::open(&spec, Duration::from_secs(345_600))
            .await
            .unwrap();
        Self {
            path,
            _folder: folder,
        }
    }

    pub(crate) fn execute(&self, sql: &str) {
        let connection = rusqlite::Connection::open(&self.path).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    pub(crate) fn set_broken(&self) {
        self.execute("ALTER TABLE attempts RENAME TO elsewhere");
    }

    pub(crate) fn mend(&self) {
        self.execute("ALTER TABLE elsewhere RENAME TO attempts");
    }
}
