//! Health checks over maps in host memory.

use lvs_common::{
    conntable::shared::View,
    map::{ProbeFlow, ProbeKey, Probed, ProbedEnd},
    net::{Addr6, Be32},
    verdict::Verdict,
    wire::Frame,
};

use super::{MemTables, family::Kept, tables::ForPacket};
use crate::{
    Probes, Step, account, complained, ip,
    probe::{back, out},
    wrap,
};

impl MemTables {
    /// Sends a frame that a program of the host sent to a stand-in.
    pub fn probe<F: Frame>(&mut self, frame: &mut F) -> Verdict {
        let maps = &mut self.maps;
        if ip::is_of::<Addr6, F>(frame) {
            let conns = View::with_ends(&self.conns6);
            return leave(frame, &mut ForPacket::<Addr6>::new(conns, maps));
        }
        leave(frame, &mut ForPacket::<Be32>::new(View::new(&self.conns), maps))
    }

    /// Takes an answer to whoever waits for it, or notes an error; none if it is no health check's.
    pub fn answer_probe<F: Frame>(&mut self, frame: &mut F) -> Option<Verdict> {
        let maps = &mut self.maps;
        if ip::is_of::<Addr6, F>(frame) {
            let conns = View::with_ends(&self.conns6);
            return come(frame, &mut ForPacket::<Addr6>::new(conns, maps));
        }
        come(frame, &mut ForPacket::<Be32>::new(View::new(&self.conns), maps))
    }
}

fn leave<F: Frame, T: Probes>(frame: &mut F, tables: &mut T) -> Verdict {
    let verdict = match out::aim(frame, tables) {
        Err(refused) => refused,
        Ok(aim) => match out::send(frame, &aim, tables) {
            Step::Done(verdict) => verdict,
            Step::Wraps(packet, connection) => wrap(frame, &packet, connection, tables),
            Step::Begins(_) | Step::Other | Step::Fragment => unreachable!("it begins nothing"),
        },
    };
    account::verdict(verdict, tables);
    verdict
}

fn come<F: Frame, T: Probes>(frame: &mut F, tables: &mut T) -> Option<Verdict> {
    let verdict = back::answered(frame, tables).or_else(|| complained(frame, tables))?;
    account::verdict(verdict, tables);
    Some(verdict)
}

impl<A: Kept> Probes for ForPacket<'_, A> {
    fn probe(&mut self, key: &ProbeKey) -> Option<&mut ProbeFlow> {
        self.maps.probes.get_mut(key)
    }

    fn begin_probe(&mut self, key: &ProbeKey, flow: &ProbeFlow, end: &ProbedEnd) {
        self.maps.probes.insert(*key, *flow);
        self.maps.probed.insert(*end, Probed::default());
    }

    fn probed(&mut self, end: &ProbedEnd) -> Option<&mut Probed> {
        self.maps.probed.get_mut(end)
    }
}
