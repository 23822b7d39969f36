//! The way to the director from other tasks: it runs on a thread of its own, one request at a time.

use std::{net::IpAddr, sync::Arc, thread, time::Duration};

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{
    ChangeRequest, Changed, Checked, ConnectionQuery, Director, DirectorError, Event, Found,
    ListQuery, Listing, MarkListing, PageQuery, Report, ServiceEntry, Settings, Status,
    TunableListing, Wanted, Who, estimator,
};
use crate::{
    dataplane::DataPlane,
    model::{DestAddr, Hook, Network, ServiceId, Way},
};

type Reply<T> = oneshot::Sender<T>;

enum Message {
    Change(Who, ChangeRequest, Reply<Result<Changed, DirectorError>>),
    Listing(ListQuery, Reply<Result<Listing, DirectorError>>),
    Page(PageQuery, Reply<Vec<ServiceEntry>>),
    Settings(Reply<Settings>),
    Tunables(Reply<TunableListing>),
    Marks(Reply<MarkListing>),
    Connections(ConnectionQuery, Reply<Found>),
    Status(Reply<Status>),
    Watch(Reply<broadcast::Receiver<Arc<Event>>>),
    Resolve(Vec<(IpAddr, Way)>),
    Health(Vec<Report>),
    Reset(Who, ServiceId, DestAddr, Reply<Result<u64, DirectorError>>),
    Attach(String, Hook, String, Reply<Result<(), DirectorError>>),
    Lose(String, String),
    Network(Network),
    Ping(Reply<()>),
    Tick,
}

/// Talks to a running director, which stops when the last handle is gone.
#[derive(Debug, Clone)]
pub struct Handle {
    messages: mpsc::Sender<Message>,
    wanted: watch::Receiver<Wanted>,
    checked: watch::Receiver<Arc<Checked>>,
}

/// How long a change waits until packets can go the ways that it asks for.
const SETTLING: Duration = Duration::from_millis(5);

/// Starts `director` on its own thread; the data plane may take its time without holding up others.
///
/// The thread ends, and drops the data plane, when the last [`Handle`] is dropped.
///
/// # Panics
/// Outside a tokio runtime, or when the host has no thread to give.
pub fn spawn<D: DataPlane + 'static>(director: Director<D>) -> (Handle, thread::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(64);
    let (wanted, checked) = (director.ways(), director.checked());
    let ticks = sender.downgrade();
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(estimator::PERIOD);
        interval.tick().await;
        loop {
            interval.tick().await;
            let Some(sender) = ticks.upgrade() else { break };
            if sender.send(Message::Tick).await.is_err() {
                break;
            }
        }
    });
    let thread = thread::Builder::new()
        .name("director".into())
        .spawn(move || serve(director, receiver))
        .expect("the host has a thread for the director");
    (Handle { messages: sender, wanted, checked }, thread)
}

impl Handle {
    /// See [`Director::change`].
    ///
    /// # Errors
    /// As there.
    pub async fn change(&self, request: ChangeRequest) -> Result<Changed, DirectorError> {
        self.change_for(Who::controller(), request).await
    }

    /// See [`Director::change_for`].
    ///
    /// # Errors
    /// As there.
    pub async fn change_for(
        &self,
        who: Who,
        request: ChangeRequest,
    ) -> Result<Changed, DirectorError> {
        let mut wanted = self.wanted.clone();
        let unknown = wanted.borrow().unknown;
        let changed = self.ask(|reply| Message::Change(who, request, reply)).await??;
        // New ways are mostly known at once; a script's next command is often the client that
        // tries them.
        let settled = wanted.wait_for(|wanted| wanted.unknown <= unknown);
        tokio::time::timeout(SETTLING, settled).await.ok();
        Ok(changed)
    }

    /// Which addresses want a way; see [`Director::resolve`].
    #[must_use]
    pub fn wanted(&self) -> watch::Receiver<Wanted> {
        self.wanted.clone()
    }

    /// See [`Director::resolve`].
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn resolve(&self, ways: Vec<(IpAddr, Way)>) -> Result<(), DirectorError> {
        self.messages.send(Message::Resolve(ways)).await.map_err(|_gone| DirectorError::Stopped)
    }

    /// Which real servers are to be checked; see [`Director::health`].
    #[must_use]
    pub fn checked(&self) -> watch::Receiver<Arc<Checked>> {
        self.checked.clone()
    }

    /// See [`Director::health`].
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn health(&self, reports: Vec<Report>) -> Result<(), DirectorError> {
        self.messages.send(Message::Health(reports)).await.map_err(|_gone| DirectorError::Stopped)
    }

    /// See [`Director::reset_connections`].
    ///
    /// # Errors
    /// As there.
    pub async fn reset_connections(
        &self,
        who: Who,
        service: ServiceId,
        dest: DestAddr,
    ) -> Result<u64, DirectorError> {
        self.ask(|reply| Message::Reset(who, service, dest, reply)).await?
    }

    /// See [`DataPlane::attach`].
    ///
    /// # Errors
    /// As there.
    pub async fn attach(
        &self,
        interface: String,
        hook: Hook,
        why: String,
    ) -> Result<(), DirectorError> {
        self.ask(|reply| Message::Attach(interface, hook, why, reply)).await?
    }

    /// See [`DataPlane::lose`].
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn lose(&self, interface: String, why: String) -> Result<(), DirectorError> {
        self.messages
            .send(Message::Lose(interface, why))
            .await
            .map_err(|_gone| DirectorError::Stopped)
    }

    /// See [`DataPlane::set_network`].
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn set_network(&self, network: Network) -> Result<(), DirectorError> {
        self.messages.send(Message::Network(network)).await.map_err(|_gone| DirectorError::Stopped)
    }

    /// See [`Director::listing`].
    ///
    /// # Errors
    /// As there.
    pub async fn listing(&self, query: ListQuery) -> Result<Listing, DirectorError> {
        self.ask(|reply| Message::Listing(query, reply)).await?
    }

    /// See [`Director::settings`].
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn settings(&self) -> Result<Settings, DirectorError> {
        self.ask(Message::Settings).await
    }

    /// See [`Director::tunables`].
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn tunables(&self) -> Result<TunableListing, DirectorError> {
        self.ask(Message::Tunables).await
    }

    /// See [`Director::marks`].
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn marks(&self) -> Result<MarkListing, DirectorError> {
        self.ask(Message::Marks).await
    }

    /// See [`Director::connections`].
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn connections(&self, query: ConnectionQuery) -> Result<Found, DirectorError> {
        self.ask(|reply| Message::Connections(query, reply)).await
    }

    /// See [`Director::page`].
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn page(&self, query: PageQuery) -> Result<Vec<ServiceEntry>, DirectorError> {
        self.ask(|reply| Message::Page(query, reply)).await
    }

    /// Returns when the director has come to this request: it is alive.
    ///
    /// # Errors
    /// It has stopped.
    pub async fn ping(&self) -> Result<(), DirectorError> {
        self.ask(Message::Ping).await
    }

    /// See [`Director::status`].
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn status(&self) -> Result<Status, DirectorError> {
        self.ask(Message::Status).await
    }

    /// Every change from now on. Who reads too slowly loses some, and is told.
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn watch(&self) -> Result<broadcast::Receiver<Arc<Event>>, DirectorError> {
        self.ask(Message::Watch).await
    }

    async fn ask<T>(&self, message: impl FnOnce(Reply<T>) -> Message) -> Result<T, DirectorError> {
        let (reply, answer) = oneshot::channel();
        self.messages.send(message(reply)).await.map_err(|_gone| DirectorError::Stopped)?;
        answer.await.map_err(|_gone| DirectorError::Stopped)
    }
}

fn serve<D: DataPlane>(mut director: Director<D>, mut messages: mpsc::Receiver<Message>) {
    // Whoever asked may have gone away meanwhile: then the answer is for nobody.
    while let Some(message) = messages.blocking_recv() {
        match message {
            Message::Change(who, request, reply) => {
                drop(reply.send(director.change_for(&who, &request)));
            }
            Message::Listing(query, reply) => drop(reply.send(director.listing(&query))),
            Message::Page(query, reply) => drop(reply.send(director.page(&query))),
            Message::Ping(reply) => drop(reply.send(())),
            Message::Settings(reply) => drop(reply.send(director.settings())),
            Message::Tunables(reply) => drop(reply.send(director.tunables())),
            Message::Marks(reply) => drop(reply.send(director.marks())),
            Message::Connections(query, reply) => drop(reply.send(director.connections(query))),
            Message::Status(reply) => drop(reply.send(director.status())),
            Message::Watch(reply) => drop(reply.send(director.watch())),
            Message::Health(reports) => director.health(&reports),
            Message::Reset(who, service, dest, reply) => {
                drop(reply.send(director.reset_connections(&who, &service, &dest)));
            }
            Message::Resolve(ways) => director.resolve(ways),
            Message::Attach(interface, hook, why, reply) => {
                drop(reply.send(director.attach(&interface, hook, why)));
            }
            Message::Lose(interface, why) => director.lose(&interface, why),
            Message::Network(network) => director.set_network(&network),
            Message::Tick => director.tick(),
        }
    }
}
