//! The rules on disk: a snapshot, and a journal of the requests since.
//!
//! A request is in the journal before it is answered, so a controller that is killed loses
//! nothing; the journal grows with the changes and not with the table, and is folded into a new
//! snapshot when it has grown as long as that. The host's own fall is another matter: only a
//! durable directory waits for the disk.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::model::{Change, DestAddr, Host, LinkFacts, ServiceId, Snapshot, SnapshotError, Table};

const SNAPSHOT: &str = "rules.json";
const JOURNAL: &str = "journal.ndjson";
const DOWN: &str = "down.json";
/// A shorter journal is left alone, bytes.
const JOURNAL_MIN: u64 = 1 << 20;

/// A directory that keeps rules.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    journal: File,
    durable: bool,
    journal_length: u64,
    snapshot_length: u64,
    /// What the file of real servers that are down says.
    written_down: Vec<(ServiceId, DestAddr)>,
}

/// The rules could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file could not be used.
    #[error("{doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the host said.
        source: io::Error,
    },
    /// A file does not contain what it should.
    #[error("{}: {source}", path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The snapshot is not a table.
    #[error("{}: {source}", path.display())]
    Snapshot {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: SnapshotError,
    },
}

#[derive(Serialize)]
struct EntryRef<'a> {
    revision: u64,
    changes: &'a [Change],
}

#[derive(Deserialize)]
struct Entry {
    revision: u64,
    changes: Vec<Change>,
}

/// Rules that were accepted once are not judged by the host again.
struct AnyHost;

impl StateDir {
    /// Uses `path`, which is made if it is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(path).map_err(file("making", path))?;
        let journal = path.join(JOURNAL);
        let opened = OpenOptions::new().create(true).append(true).open(&journal);
        let journal = opened.map_err(file("opening", &journal))?;
        let journal_length = journal.metadata().map_or(0, |metadata| metadata.len());
        Ok(Self {
            path: path.into(),
            journal,
            durable: false,
            journal_length,
            snapshot_length: 0,
            written_down: Vec::new(),
        })
    }

    /// Moves the rules that `from` keeps to `to`, unless `from` has none or `to` has some.
    ///
    /// # Errors
    /// A file cannot be used; no rule is lost.
    pub fn move_rules(from: &Path, to: &Path) -> Result<(), StateError> {
        let [old, new] = [from, to].map(|directory| directory.join(SNAPSHOT));
        if new.exists() || !old.exists() {
            return Ok(());
        }
        fs::create_dir_all(to).map_err(file("making", to))?;
        // Without a snapshot a journal means nothing, so that comes last.
        let [old_journal, new_journal] = [from, to].map(|directory| directory.join(JOURNAL));
        if old_journal.exists() {
            fs::copy(&old_journal, &new_journal).map_err(file("writing", &new_journal))?;
        }
        let copy = to.join(format!("{SNAPSHOT}.new"));
        fs::copy(&old, &copy).map_err(file("writing", &copy))?;
        fs::rename(&copy, &new).map_err(file("renaming", &new))?;
        for path in [old, old_journal] {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(file("removing", &path)(source));
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// From now on, what was answered is on the disk: it survives the fall of the host.
    #[must_use]
    pub fn durable(self) -> Self {
        Self { durable: true, ..self }
    }

    /// The rules and their revision, if any were written.
    ///
    /// # Errors
    /// They cannot be read. A last line of the journal that is cut short was never answered and
    /// is left out.
    pub fn load(&mut self) -> Result<Option<(Table, u64)>, StateError> {
        let path = self.path.join(SNAPSHOT);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(file("reading", &path)(source)),
        };
        let snapshot: Snapshot =
            serde_json::from_slice(&text).map_err(|source| json(&path, source))?;
        let mut table =
            Table::restore(&snapshot).map_err(|source| StateError::Snapshot { path, source })?;
        let mut revision = snapshot.revision;
        for entry in self.read_journal()? {
            // A snapshot may have come just before the journal was emptied.
            if entry.revision > revision {
                for change in &entry.changes {
                    // It was accepted once; what is refused now was undone by hand in the file.
                    table.apply(change, &AnyHost).ok();
                }
                revision = entry.revision;
            }
        }
        Ok(Some((table, revision)))
    }

    /// The real servers that were down. It is a help, not a rule: what cannot be read is not known.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn down(&mut self) -> Result<Vec<(ServiceId, DestAddr)>, StateError> {
        let path = self.path.join(DOWN);
        match fs::read(&path) {
            Ok(text) => {
                self.written_down = serde_json::from_slice(&text).unwrap_or_default();
                Ok(self.written_down.clone())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(file("reading", &path)(source)),
        }
    }

    /// Writes down which real servers are down, so that they do not come back before their first
    /// check when the controller starts again.
    ///
    /// # Errors
    /// The file says what it said.
    pub fn remember_down(&mut self, down: &[(ServiceId, DestAddr)]) -> Result<(), StateError> {
        if self.written_down == down {
            return Ok(());
        }
        let path = self.path.join(DOWN);
        let new = self.path.join(format!("{DOWN}.new"));
        let text = serde_json::to_vec(down).map_err(|source| json(&path, source))?;
        // After a fall of the host everything is checked before long; it is not waited for here.
        fs::write(&new, &text).map_err(file("writing", &new))?;
        fs::rename(&new, &path).map_err(file("renaming", &path))?;
        self.written_down = down.to_vec();
        Ok(())
    }

    /// Writes down the changes that make `revision`.
    ///
    /// # Errors
    /// They are not written.
    pub fn append(&mut self, revision: u64, changes: &[Change]) -> Result<(), StateError> {
        let path = self.path.join(JOURNAL);
        let mut line = serde_json::to_vec(&EntryRef { revision, changes })
            .map_err(|source| json(&path, source))?;
        line.push(b'\n');
        let written = self.journal.write_all(&line);
        let kept =
            written.and_then(|()| if self.durable { self.journal.sync_data() } else { Ok(()) });
        if let Err(source) = kept {
            // Half a line must not stand before the next one.
            self.journal.set_len(self.journal_length).ok();
            return Err(file("writing", &path)(source));
        }
        self.journal_length += line.len() as u64;
        Ok(())
    }

    /// Writes a snapshot and begins a new journal.
    ///
    /// # Errors
    /// The old files still say the same.
    pub fn compact(&mut self, snapshot: &Snapshot) -> Result<(), StateError> {
        let path = self.path.join(SNAPSHOT);
        let new = self.path.join(format!("{SNAPSHOT}.new"));
        let text = serde_json::to_vec(snapshot).map_err(|source| json(&path, source))?;
        self.write_file(&new, &text).map_err(file("writing", &new))?;
        fs::rename(&new, &path).map_err(file("renaming", &path))?;
        if self.durable {
            let directory = File::open(&self.path).and_then(|directory| directory.sync_all());
            directory.map_err(file("writing", &self.path))?;
        }
        let journal = self.path.join(JOURNAL);
        self.journal.set_len(0).map_err(file("emptying", &journal))?;
        self.journal_length = 0;
        self.snapshot_length = text.len() as u64;
        Ok(())
    }

    /// Whether the journal is worth folding.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.journal_length > self.snapshot_length.max(JOURNAL_MIN)
    }

    fn write_file(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(text)?;
        if self.durable { file.sync_all() } else { Ok(()) }
    }

    fn read_journal(&self) -> Result<Vec<Entry>, StateError> {
        let path = self.path.join(JOURNAL);
        let journal = match File::open(&path) {
            Ok(journal) => BufReader::new(journal),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(file("reading", &path)(source)),
        };
        let mut entries = Vec::new();
        let mut lines = journal.split(b'\n').peekable();
        while let Some(line) = lines.next() {
            let line = line.map_err(file("reading", &path))?;
            match serde_json::from_slice(&line) {
                Ok(entry) => entries.push(entry),
                Err(_) if lines.peek().is_none() => (),
                Err(source) => return Err(json(&path, source)),
            }
        }
        Ok(entries)
    }
}

impl Host for AnyHost {
    fn link(&self, _: &str) -> Option<LinkFacts> {
        Some(LinkFacts { mtu: 1500, up: true, loopback: false })
    }

    fn is_broadcast(&self, _: std::net::Ipv4Addr) -> bool {
        false
    }

    fn is_own(&self, _: std::net::Ipv6Addr) -> bool {
        true
    }
}

fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::File { doing, path, source }
}

fn json(path: &Path, source: serde_json::Error) -> StateError {
    StateError::Json { path: path.to_owned(), source }
}
