//! All interfaces of a network namespace, whenever they change.

use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    link::{self, Link},
    socket::{Notifications, Requests},
};

/// `RTNLGRP_LINK`.
const GROUP: u32 = 1;

/// Watches them.
pub struct Links {
    notifications: Notifications,
    requests: Requests,
    known: Option<Vec<Link>>,
}

impl Links {
    /// Begins to watch.
    ///
    /// # Errors
    /// The system's, when the sockets cannot be opened.
    pub fn open() -> io::Result<Self> {
        // Listening comes first: what changes after the first look is heard.
        let notifications = Notifications::open(&[GROUP])?;
        Ok(Self { notifications, requests: Requests::open(NETLINK_ROUTE)?, known: None })
    }

    /// The interfaces: at once the first time, then as soon as they differ from those of the last.
    ///
    /// # Errors
    /// The system's.
    pub async fn changed(&mut self) -> io::Result<Vec<Link>> {
        loop {
            if self.known.is_some() {
                self.notifications.hear(|_heard| ()).await?;
            }
            let links = link::all(&mut self.requests).await?;
            if self.known.as_ref() != Some(&links) {
                self.known = Some(links.clone());
                return Ok(links);
            }
        }
    }
}
