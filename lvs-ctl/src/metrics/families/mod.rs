//! The families of metrics: names, labels, meanings.

mod each;
mod health;
mod whole;

use std::{fmt, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, MetricEncoder, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter},
};

use super::gather::Gathered;
use crate::model::Counters;

/// One label.
type Label<'a> = (&'static str, &'a str);

/// Writes families one after another.
struct Page<'a>(DescriptorEncoder<'a>);

impl Collector for Gathered {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut page = Page(encoder);
        whole::controller(self, &mut page)?;
        whole::director(self, &mut page)?;
        whole::plane(&self.status.plane, &mut page)?;
        each::services(&self.services, &mut page)?;
        each::real_servers(&self.services, &mut page)?;
        health::health(self, &mut page)
    }
}

impl Page<'_> {
    /// A gauge without labels.
    fn number(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.begin(name, help, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// A gauge in seconds, without labels.
    fn duration(&mut self, name: &str, help: &str, value: Duration) -> fmt::Result {
        self.begin(name, help, MetricType::Gauge)?.encode_gauge(&value.as_secs_f64())
    }

    /// A counter without labels.
    fn count(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = self.begin(name, help, MetricType::Counter)?;
        ConstCounter::new(value).encode(metric)
    }

    /// Gauges.
    fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut metric = self.begin(name, help, MetricType::Gauge)?;
        samples
            .into_iter()
            .try_for_each(|(labels, value)| metric.encode_family(&labels)?.encode_gauge(&value))
    }

    /// Gauges in seconds.
    fn durations<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, Duration)>,
    ) -> fmt::Result {
        let mut metric = self.begin(name, help, MetricType::Gauge)?;
        samples.into_iter().try_for_each(|(labels, value)| {
            metric.encode_family(&labels)?.encode_gauge(&value.as_secs_f64())
        })
    }

    /// Counters; samples are named with `_total` behind.
    fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut metric = self.begin(name, help, MetricType::Counter)?;
        samples.into_iter().try_for_each(|(labels, value)| {
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    /// What is told by labels alone; samples are named with `_info` behind.
    fn info<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = L>,
    ) -> fmt::Result {
        let mut metric = self.begin(name, help, MetricType::Info)?;
        samples.into_iter().try_for_each(|labels| metric.encode_info(&labels))
    }

    fn begin<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }
}

/// Packets by direction.
fn packets<L: Copy>(labels: L, counters: Counters) -> [((L, [Label<'static>; 1]), u64); 2] {
    by_direction(labels, counters.in_packets, counters.out_packets)
}

/// Bytes by direction.
fn bytes<L: Copy>(labels: L, counters: Counters) -> [((L, [Label<'static>; 1]), u64); 2] {
    by_direction(labels, counters.in_bytes, counters.out_bytes)
}

fn by_direction<L: Copy>(
    labels: L,
    from_clients: u64,
    to_clients: u64,
) -> [((L, [Label<'static>; 1]), u64); 2] {
    let direction = |direction| (labels, [("direction", direction)]);
    [(direction("in"), from_clients), (direction("out"), to_clients)]
}
