//! Rules that give packets a firewall mark, in netfilter's place: XDP comes before it.

use std::{cmp::Reverse, fmt, ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Invalid, Prefix, Protocol};

/// Packets to these addresses and ports carry this mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkRule {
    /// Their protocol; `None`: any, or any with ports where the rule names some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Where they go.
    #[schema(value_type = String)]
    pub destination: Prefix,
    /// Which ports; none named: any.
    #[serde(default, skip_serializing_if = "Ports::is_any")]
    #[schema(value_type = Option<String>)]
    pub ports: Ports,
    /// The mark, never 0.
    pub mark: u32,
}

/// Ranges of ports in order, none of which overlaps another; `80,443,8000-8100`. None is every port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ports(Vec<(u16, u16)>);

/// A text that names no ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortsError {
    /// Numbers and ranges of them.
    #[error("`{0}' is no list of ports: 80,443,8000-8100, each 1 to 65535")]
    Text(String),
    /// A port is named twice.
    #[error("`{0}' names port {1} twice")]
    Twice(String, u16),
}

/// How specific a rule is for one of its port ranges, the most specific first: longer prefix, ports
/// before none, narrower range, then with protocol.
pub type Precedence = (Reverse<u8>, u32, bool);

/// All rules, whatever order they came in: of those that match a packet, the most specific decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    rules: Vec<MarkRule>,
    /// Those of the rules that the configuration file declares.
    declared: Vec<MarkRule>,
}

impl MarkRule {
    /// The port ranges and how specific the rule is for each.
    pub fn ranges(&self) -> impl Iterator<Item = (Precedence, RangeInclusive<u16>)> {
        let any = self.ports.is_any().then_some((0, u16::MAX));
        any.into_iter().chain(self.ports.0.iter().copied()).map(|(first, last)| {
            let width = u32::from(last - first) + 1;
            let precedence = (Reverse(self.destination.length()), width, self.protocol.is_none());
            (precedence, first..=last)
        })
    }

    /// Whether some packet is marked by both and neither is more specific for it.
    fn is_as_specific_as(&self, other: &Self) -> bool {
        // As long and overlapping means the same prefix; as specific and not the same protocol
        // means another one.
        self.destination == other.destination
            && self.protocol == other.protocol
            && self.ranges().any(|(precedence, range)| {
                other.ranges().any(|(others, other)| {
                    precedence == others
                        && range.start() <= other.end()
                        && other.start() <= range.end()
                })
            })
    }

    /// By this they are listed: a family after the other, the most specific first.
    fn order(&self) -> impl Ord {
        let precedence = self.ranges().map(|(precedence, _)| precedence).min();
        let family = self.destination.family();
        (family, precedence, self.destination, self.ports.clone(), self.protocol, self.mark)
    }
}

impl Marks {
    /// The rules, the most specific first.
    #[must_use]
    pub fn rules(&self) -> &[MarkRule] {
        &self.rules
    }

    /// Adds a rule.
    ///
    /// # Errors
    /// It is there already, or contradicts one that is as specific.
    pub fn add(&mut self, rule: &MarkRule) -> Result<(), Invalid> {
        if rule.mark == 0 {
            return Err(Invalid::InvalidOperation(super::Why::Mark));
        }
        if self.rules.contains(rule) {
            return Err(Invalid::MarkExists);
        }
        let contradicts =
            |other: &&MarkRule| other.mark != rule.mark && other.is_as_specific_as(rule);
        if let Some(other) = self.rules.iter().find(contradicts) {
            return Err(Invalid::MarkConflict(other.to_string()));
        }
        let place = self.rules.partition_point(|other| other.order() < rule.order());
        self.rules.insert(place, rule.clone());
        Ok(())
    }

    /// Deletes a rule.
    ///
    /// # Errors
    /// It is not there.
    pub fn delete(&mut self, rule: &MarkRule) -> Result<(), Invalid> {
        let place = self.rules.iter().position(|other| other == rule).ok_or(Invalid::NoMark)?;
        self.rules.remove(place);
        self.declared.retain(|other| other != rule);
        Ok(())
    }

    /// Those that the configuration file declares, in the order in which it came to declare them; see
    /// [`super::Origin`].
    #[must_use]
    pub fn declared(&self) -> &[MarkRule] {
        &self.declared
    }

    /// Notes that the configuration file declares a rule.
    ///
    /// # Errors
    /// It is not there.
    pub fn declare(&mut self, rule: &MarkRule) -> Result<(), Invalid> {
        if !self.rules.contains(rule) {
            return Err(Invalid::NoMark);
        }
        if !self.declared.contains(rule) {
            self.declared.push(rule.clone());
        }
        Ok(())
    }
}

impl Ports {
    /// Whether every port is meant.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }
}

/// As `lvs-ctl mark add` takes it.
impl fmt::Display for MarkRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(protocol) = self.protocol {
            write!(f, "--protocol {} ", protocol.name())?;
        }
        write!(f, "--destination {} ", self.destination)?;
        if !self.ports.is_any() {
            write!(f, "--ports {} ", self.ports)?;
        }
        write!(f, "{}", self.mark)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |&(first, last): &(u16, u16)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        f.write_str(&self.0.iter().map(range).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Ports {
    type Err = PortsError;

    fn from_str(text: &str) -> Result<Self, PortsError> {
        let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let port = |text: &str| Some(text).filter(digits)?.parse().ok().filter(|&port| port > 0u16);
        let range = |text: &str| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let range = (port(first)?, port(last)?);
            (range.0 <= range.1).then_some(range)
        };
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        let mut ranges = ranges.ok_or_else(|| PortsError::Text(text.into()))?;
        ranges.sort_unstable();
        match ranges.windows(2).find(|pair| pair[1].0 <= pair[0].1) {
            Some(pair) => Err(PortsError::Twice(text.into(), pair[1].0)),
            None => Ok(Self(ranges)),
        }
    }
}

impl TryFrom<String> for Ports {
    type Error = PortsError;

    fn try_from(text: String) -> Result<Self, PortsError> {
        text.parse()
    }
}

impl From<Ports> for String {
    fn from(ports: Ports) -> Self {
        ports.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(protocol: Option<Protocol>, destination: &str, ports: &str, mark: u32) -> MarkRule {
        let ports = if ports.is_empty() { Ports::default() } else { ports.parse().unwrap() };
        MarkRule { protocol, destination: destination.parse().unwrap(), ports, mark }
    }

    #[test]
    fn ports_are_kept_in_order() {
        let ports: Ports = "8000-8100,80,443".parse().unwrap();
        assert_eq!(ports.to_string(), "80,443,8000-8100");
        assert_eq!(serde_json::to_string(&ports).unwrap(), r#""80,443,8000-8100""#);
    }

    #[test]
    fn nonsense_names_no_ports() {
        for text in ["", "0", "65536", "+80", "80-", "-80", "81-80", "80,,81", "http", "80 81"] {
            assert_eq!(text.parse::<Ports>(), Err(PortsError::Text(text.into())));
        }
        for (text, port) in [("80,80", 80), ("90,80-100", 90), ("80-90,90-99", 90)] {
            assert_eq!(text.parse::<Ports>(), Err(PortsError::Twice(text.into(), port)));
        }
    }

    #[test]
    fn a_rule_is_there_once() {
        let mut marks = Marks::default();
        let web = rule(Some(Protocol::Tcp), "192.0.2.0/24", "80,443", 1);
        marks.add(&web).unwrap();
        assert_eq!(marks.add(&web), Err(Invalid::MarkExists));
        marks.delete(&web).unwrap();
        assert_eq!(marks.delete(&web), Err(Invalid::NoMark));
        assert_eq!(marks.declare(&web), Err(Invalid::NoMark));
        assert_eq!(
            marks.add(&MarkRule { mark: 0, ..web }).unwrap_err().code(),
            "invalid-operation"
        );
    }

    #[test]
    fn the_files_rule_stays_the_files_until_it_is_deleted() {
        let mut marks = Marks::default();
        let web = rule(None, "192.0.2.0/24", "80", 1);
        marks.add(&web).unwrap();
        marks.declare(&web).unwrap();
        marks.declare(&web).unwrap();
        assert_eq!(marks.declared(), std::slice::from_ref(&web));
        marks.delete(&web).unwrap();
        marks.add(&web).unwrap();
        assert_eq!(marks.declared(), []);
    }

    #[test]
    fn equally_specific_rules_with_different_marks_are_a_conflict() {
        let tcp = Some(Protocol::Tcp);
        let base = rule(tcp, "192.0.2.0/24", "80,8000-8100", 1);
        for (other, conflicts) in [
            (rule(tcp, "192.0.2.0/24", "80", 2), true),
            (rule(tcp, "192.0.2.0/24", "80", 1), false),
            (rule(tcp, "192.0.2.0/24", "8100-8200", 2), true),
            (rule(tcp, "192.0.2.0/24", "8100-8201", 2), false),
            (rule(tcp, "192.0.2.0/24", "8101-8201", 2), false),
            (rule(None, "192.0.2.0/24", "80", 2), false),
            (rule(Some(Protocol::Udp), "192.0.2.0/24", "80", 2), false),
            (rule(tcp, "192.0.2.0/25", "80", 2), false),
            (rule(tcp, "198.51.100.0/24", "80", 2), false),
            (rule(tcp, "192.0.2.0/24", "", 2), false),
        ] {
            for (first, second) in [(&base, &other), (&other, &base)] {
                let mut marks = Marks::default();
                marks.add(first).unwrap();
                let wanted =
                    if conflicts { Err(Invalid::MarkConflict(first.to_string())) } else { Ok(()) };
                assert_eq!(marks.add(second), wanted, "{first}, {second}");
            }
        }
    }

    #[test]
    fn the_most_specific_rules_come_first() {
        let in_order = [
            rule(None, "192.0.2.1/32", "", 1),
            rule(Some(Protocol::Udp), "192.0.2.0/24", "53", 2),
            rule(None, "192.0.2.0/24", "53", 3),
            rule(None, "192.0.2.0/24", "80-90", 4),
            rule(Some(Protocol::Udp), "192.0.2.0/24", "", 5),
            rule(None, "0.0.0.0/0", "1-65535", 6),
            rule(None, "0.0.0.0/0", "", 7),
        ];
        let mut marks = Marks::default();
        in_order.iter().rev().for_each(|rule| marks.add(rule).unwrap());
        assert_eq!(marks.rules(), in_order);
    }
}
