//! The metrics, read by the programs that they are for.

use std::fs;

use lvs_tests::{prelude::*, process::Process};
use serde_json::Value;

use crate::cluster::{Cluster, NAT, SOON};

const METRICS: &str = "127.0.0.1:9109";
const PROMETHEUS: &str = "127.0.0.1:9090";

/// A Prometheus in the director's namespace; ends with the value.
struct Prometheus<'c> {
    cluster: &'c Cluster,
    _process: Process,
}

impl<'c> Prometheus<'c> {
    fn start(cluster: &'c Cluster) -> Self {
        let directory = cluster.topology.lab().directory();
        let config = directory.join("prometheus.yml");
        let job = format!("{{job_name: lvs, static_configs: [{{targets: ['{METRICS}']}}]}}");
        let text = format!(
            "global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\nscrape_configs: [{job}]\n"
        );
        fs::write(&config, text).unwrap();
        let mut command = cluster.topology.host("director").netns().command("prometheus");
        command.arg("--config.file").arg(&config);
        command.arg("--storage.tsdb.path").arg(directory.join("prometheus"));
        command.arg(format!("--web.listen-address={PROMETHEUS}"));
        let log = directory.join("prometheus.log");
        let process = Process::start(command, &log).unwrap();
        Self { cluster, _process: process }
    }

    /// The answer to a query; `None` while there is no answer at all.
    fn ask(&self, query: &str) -> Option<Value> {
        let url = format!("http://{PROMETHEUS}/api/v1/query");
        let query = format!("query={query}");
        let netns = self.cluster.topology.host("director").netns();
        let said = netns.exec(&["curl", "-sG", &url, "--data-urlencode", &query]).ok()?;
        serde_json::from_str(&said).ok()
    }

    /// The one number that a query has for an answer.
    fn number(&self, query: &str) -> Option<f64> {
        self.ask(query)?["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }

    fn wait_for(&self, query: &str, expected: f64) {
        let mut last = None;
        let seen = eventually(query, SOON, || {
            last = self.number(query);
            (last == Some(expected)).then_some(())
        });
        seen.unwrap_or_else(|error| panic!("{error:#}; the last answer: {last:?}"));
    }
}

#[test]
fn prometheus_scrapes_a_director_and_knows_its_connections() {
    let cluster = Cluster::told(|_, settings| {
        settings.arguments = vec!["--metrics-listen".into(), METRICS.into()];
    });
    cluster.serve(NAT, "-t", 80, "-s wrr");
    cluster.client().sequential(NAT.to(80), 6).assert_is(&NAT.split([3, 3]));
    let lint = format!(
        "curl -sf --unix-socket {} http://director/metrics | promtool check metrics",
        cluster.director.socket().display()
    );
    let said = cluster.director.shell(&lint).unwrap();
    assert_eq!(
        (said.code, said.stdout.as_str(), said.stderr.as_str()),
        (Some(0), "", ""),
        "{said}"
    );

    let prometheus = Prometheus::start(&cluster);
    prometheus.wait_for("up{job=\"lvs\"}", 1.0);
    let service = format!("service=\"tcp:{}\"", NAT.to(80));
    prometheus.wait_for(&format!("lvs_service_scheduled_connections_total{{{service}}}"), 6.0);
    for (_, rip) in NAT.servers {
        let real = format!("{service},real_server=\"{rip}:80\"");
        prometheus.wait_for(&format!("lvs_real_server_scheduled_connections_total{{{real}}}"), 3.0);
        prometheus.wait_for(&format!("lvs_real_server_weight{{{real}}}"), 1.0);
        assert!(
            prometheus.number(&format!("min(lvs_real_server_bytes_total{{{real}}})")) > Some(0.0)
        );
    }
    // The sweeper has seen them, and the estimators have summed them.
    prometheus.wait_for("sum(lvs_connections)", 6.0);
    prometheus.wait_for("lvs_scheduled_connections_total", 6.0);
    prometheus.wait_for("lvs_next_hops_unresolved", 0.0);
    prometheus.wait_for("lvs_table_entries{table=\"connections\"}", 6.0);
    assert!(prometheus.number("lvs_table_capacity{table=\"connections\"}") >= Some(262_144.0));
    // What is not forwarded is counted by its reason.
    cluster.client().get(NAT.to(81), "/").unwrap_err();
    let refused = "lvs_unforwarded_packets_total{reason=\"no_service\"} > bool 0";
    prometheus.wait_for(refused, 1.0);
    let elsewhere =
        format!("curl -s -o /dev/null -w '%{{http_code}}' http://{METRICS}/v1/services");
    assert_eq!(cluster.director.shell(&elsewhere).unwrap().stdout, "404", "metrics only");
    every_query_of_the_dashboard_is_understood(&prometheus);
}

fn every_query_of_the_dashboard_is_understood(prometheus: &Prometheus<'_>) {
    let dashboard = include_str!("../../docs/grafana/lvs.json");
    let dashboard: Value = serde_json::from_str(dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries: Vec<&str> = targets.filter_map(|target| target["expr"].as_str()).collect();
    assert!(queries.len() > 30, "{}", queries.len());
    for query in queries {
        let typed = query
            .replace("$instance", ".*")
            .replace("$service", ".*")
            .replace("$__rate_interval", "1m")
            .replace("$__range", "1h");
        let answer = prometheus.ask(&typed).unwrap();
        assert_eq!(answer["status"], "success", "{typed}: {answer}");
    }
}
