//! A connection to the echo that stays open.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use crate::cluster::{Cluster, SOON, Way};

/// A connection to the echo at a VIP's port 3306.
pub(crate) struct Talk {
    stream: TcpStream,
    /// The real server.
    pub(crate) name: String,
}

impl Talk {
    /// One to whichever real server has its turn.
    pub(crate) fn to(cluster: &Cluster, way: Way) -> Self {
        let mut stream = cluster.client().connect(way.to(3306)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut name = Vec::new();
        while name.last() != Some(&b'\n') {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            name.extend(byte);
        }
        let name = String::from_utf8(name).unwrap().trim_end().to_owned();
        Self { stream, name }
    }

    /// One that the scheduler has given to this real server.
    pub(crate) fn with(cluster: &Cluster, way: Way, name: &str) -> Self {
        let talk = (0..2).map(|_| Self::to(cluster, way)).find(|talk| talk.name == name);
        talk.unwrap_or_else(|| panic!("{name} has no turn"))
    }

    /// Says something and hears the echo.
    pub(crate) fn say(&mut self, words: &[u8]) {
        self.ask(words);
        self.hear(words);
    }

    /// Only says something.
    pub(crate) fn ask(&mut self, words: &[u8]) {
        self.stream.write_all(words).unwrap();
    }

    /// Only hears.
    pub(crate) fn hear(&mut self, words: &[u8]) {
        let mut heard = vec![0; words.len()];
        self.stream.read_exact(&mut heard).unwrap();
        assert_eq!(heard, words);
    }

    /// Hears nothing.
    pub(crate) fn hears_nothing_for(&mut self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).unwrap();
        self.stream.read_exact(&mut [0]).unwrap_err();
        self.stream.set_read_timeout(Some(SOON)).unwrap();
    }
}
