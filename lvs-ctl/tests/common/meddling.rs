//! A controller whose table somebody else changes just before each change.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

use lvs_ctl::api::{
    client::{Client, ClientError, Controller},
    types::{
        Change, ChangeAnswer, ChangeRequest, CheckAnswer, CheckRequest, Connection,
        ConnectionQuery, HealthListing, HealthQuery, ListQuery, Listing, MarkListing, RealServer,
        ResetAnswer, Settings, Status, Timeouts, TunableListing,
    },
};

/// One who is served, and one who is faster.
pub struct Meddling {
    served: Client,
    faster: Client,
}

impl Meddling {
    pub fn new(served: Client, faster: Client) -> Self {
        Self { served, faster }
    }
}

impl Controller for Meddling {
    fn change(&mut self, request: &ChangeRequest) -> Result<ChangeAnswer, ClientError> {
        let changes = vec![Change::SetTimeouts(Timeouts::default())];
        self.faster.change(&ChangeRequest { changes, ..ChangeRequest::default() })?;
        self.served.change(request)
    }

    fn listing(&mut self, query: &ListQuery) -> Result<Listing, ClientError> {
        self.served.listing(query)
    }

    fn settings(&mut self) -> Result<Settings, ClientError> {
        self.served.settings()
    }

    fn tunables(&mut self) -> Result<TunableListing, ClientError> {
        self.served.tunables()
    }

    fn marks(&mut self) -> Result<MarkListing, ClientError> {
        self.served.marks()
    }

    fn connections(
        &mut self,
        query: &ConnectionQuery,
        visit: &mut dyn FnMut(Connection) -> bool,
    ) -> Result<(), ClientError> {
        self.served.connections(query, visit)
    }

    fn health(&mut self, query: &HealthQuery) -> Result<HealthListing, ClientError> {
        self.served.health(query)
    }

    fn check(&mut self, request: &CheckRequest) -> Result<CheckAnswer, ClientError> {
        self.served.check(request)
    }

    fn reset(&mut self, request: &RealServer) -> Result<ResetAnswer, ClientError> {
        self.served.reset(request)
    }

    fn status(&mut self) -> Result<Status, ClientError> {
        self.served.status()
    }
}
