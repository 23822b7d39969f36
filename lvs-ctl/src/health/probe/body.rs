//! The body of an answer, read no further than needed.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use md5::{Digest as _, Md5};
use regex::bytes::Regex;

use super::Trouble;
use crate::model::health::{Digest, Failure, Stage};

/// The longest body that is looked at, bytes.
pub(super) const LONGEST: usize = 1 << 20;

/// What a body has to be.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) matches: Option<Regex>,
    pub(super) digest: Option<Digest>,
}

impl Wanted {
    /// Whether it can be anything: then it is not even read.
    pub(super) fn is_anything(&self) -> bool {
        self.matches.is_none() && self.digest.is_none()
    }

    /// Reads the body and judges it.
    pub(super) async fn judge(&self, mut body: Incoming) -> Result<(), Trouble> {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_broken| Failure::Closed(Stage::Body))?;
            let Ok(data) = frame.into_data() else { continue };
            bytes.extend_from_slice(&data);
            if bytes.len() > LONGEST {
                return Err(Failure::TooLong.into());
            }
        }
        if self.matches.as_ref().is_some_and(|wanted| !wanted.is_match(&bytes)) {
            return Err(Failure::Body.into());
        }
        let is_same = match &self.digest {
            None => true,
            Some(Digest::Md5(wanted)) => Md5::digest(&bytes)[..] == wanted[..],
            Some(Digest::Sha256(wanted)) => {
                ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref() == wanted
            }
        };
        if is_same { Ok(()) } else { Err(Failure::Digest.into()) }
    }
}
