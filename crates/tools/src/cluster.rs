//! `kafka-cluster`: tells a cluster's id and end points, and forgets a broker.

use ottla_protocol::messages::{
    DescribeClusterRequest, DescribeClusterResponse, UnregisterBrokerRequest, describe_cluster_response,
};

use crate::admin::{Admin, Bootstrap, check};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::subcommands::{Flag, Group, Matches, Parser};

const SERVER: Flag =
    Flag::text(&["--bootstrap-server", "-b"], "Brokers to start from: host:port,host:port.").in_group(0);
const CONTROLLER: Flag =
    Flag::text(&["--bootstrap-controller", "-C"], "Or controllers to start from.").in_group(0);
const OLD_CONFIG: Flag = Flag::text(&["--config"], "The old name of --command-config.");
const CONFIG: Flag =
    Flag::text(&["--command-config", "-c"], "A file with settings for the client, key=value.");
const GROUPS: &[Group] = &[Group::Exclusive { required: true }];

static PARSER: Parser = Parser {
    name: "kafka-cluster",
    about: "Tells about a cluster as a whole.",
    flags: &[],
    groups: &[],
    commands: &[
        Parser {
            name: "cluster-id",
            about: "Print the id of the cluster.",
            flags: &[SERVER, CONTROLLER, OLD_CONFIG, CONFIG],
            groups: GROUPS,
            commands: &[],
        },
        Parser {
            name: "unregister",
            about: "Make the cluster forget a broker that will not come back.",
            flags: &[
                SERVER,
                CONTROLLER,
                OLD_CONFIG,
                CONFIG,
                Flag::integer(&["--id", "-i"], "The number of the broker.").required(),
            ],
            groups: GROUPS,
            commands: &[],
        },
        Parser {
            name: "list-endpoints",
            about: "Print where brokers or controllers listen.",
            flags: &[
                SERVER,
                CONTROLLER,
                OLD_CONFIG,
                CONFIG,
                Flag::switch(&["--include-fenced-brokers"], "Brokers that are not in service too."),
            ],
            groups: GROUPS,
            commands: &[],
        },
    ],
};

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(()) => 0,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) => {
            writeln!(cx.err, "{}\n{}", exception.text(), exception.trace()).ok();
            1
        }
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<(), Failure> {
    const HELP_EXIT_CODE: i32 = 1;
    let matches = PARSER.parse(words, HELP_EXIT_CODE, cx)?;
    let (old_config, config) = (matches.text("--config"), matches.text("--command-config"));
    if old_config.is_some() && config.is_some() {
        return Err(Exception::new(
            "net.sourceforge.argparse4j.inf.ArgumentParserException",
            "--config and --command-config cannot be specified together.",
        )
        .into());
    }
    if old_config.is_some() {
        writeln!(
            cx.out,
            "Option --config has been deprecated and will be removed in a future version. Use --command-config \
             instead."
        )?;
    }
    let admin = Admin::open(bootstrap(&matches), old_config.or(config))?;
    crate::admin::block_on(async {
        match matches.command {
            "cluster-id" => cluster_id(&admin, cx).await,
            "unregister" => unregister(&admin, matches.integer("--id").unwrap_or_default(), cx).await,
            _ => list_endpoints(&admin, &matches, cx).await,
        }
    })
}

/// Where to start from; one of the two is required.
pub(crate) fn bootstrap(matches: &Matches) -> Bootstrap<'_> {
    match (matches.text("--bootstrap-server"), matches.text("--bootstrap-controller")) {
        (Some(servers), _) => Bootstrap::Server(servers),
        (None, controllers) => Bootstrap::Controller(controllers.unwrap_or_default()),
    }
}

async fn cluster_id(admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let cluster = admin.describe_cluster(false).await.map_err(Exception::execution)?;
    writeln!(cx.out, "Cluster ID: {}", cluster.cluster_id)?;
    Ok(())
}

async fn unregister(admin: &Admin, broker_id: i32, cx: &mut Context<'_>) -> Result<(), Failure> {
    let request = UnregisterBrokerRequest { broker_id, ..Default::default() };
    let answered = admin.ask("unregisterBroker", request).await;
    let answered =
        answered.and_then(|response| check(response.error_code, response.error_message.as_deref()));
    match answered {
        Ok(()) => writeln!(cx.out, "Broker {broker_id} is no longer registered.")?,
        Err(error) if error.is("UnsupportedVersionException") => {
            writeln!(cx.out, "The target cluster does not support the broker unregistration API.")?;
        }
        Err(error) => return Err(error.execution().into()),
    }
    Ok(())
}

async fn list_endpoints(admin: &Admin, matches: &Matches, cx: &mut Context<'_>) -> Result<(), Failure> {
    let of_controllers = matches.text("--bootstrap-controller").is_some();
    let with_fenced = matches.has("--include-fenced-brokers");
    if with_fenced && of_controllers {
        let text = "The option --include-fenced-brokers is only supported with --bootstrap-server option";
        return Err(Exception::illegal_argument(text).into());
    }
    match admin.describe_cluster(with_fenced).await {
        Ok(cluster) => write!(cx.out, "{}", table(cluster, of_controllers))?,
        Err(error) if error.is("UnsupportedVersionException") => writeln!(cx.out, "{}", error.text())?,
        Err(error) => return Err(error.execution().into()),
    }
    Ok(())
}

fn table(cluster: DescribeClusterResponse, of_controllers: bool) -> String {
    let mut nodes = cluster.brokers;
    nodes.sort_by_key(|node| node.broker_id);
    let width = |text: &str| text.encode_utf16().count();
    let host_width = nodes.iter().map(|node| width(&node.host)).max().unwrap_or(100);
    let racks = nodes.iter().filter_map(|node| node.rack.as_deref());
    let rack_width = racks.map(width).max().unwrap_or(10);
    let line = |id: &str, host: &str, port: &str, rack: &str, state: &str, kind: &str| {
        let state = if of_controllers { String::new() } else { format!("{state:<10} ") };
        format!("{id:<10} {host:<host_width$} {port:<10} {rack:<rack_width$} {state}{kind:<15}\n")
    };
    let mut text = line("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE");
    for node in &nodes {
        let describe_cluster_response::DescribeClusterBroker {
            broker_id, host, port, rack, is_fenced, ..
        } = node;
        text.push_str(&line(
            &broker_id.to_string(),
            host,
            &port.to_string(),
            rack.as_deref().unwrap_or("null"),
            if *is_fenced { "fenced" } else { "unfenced" },
            if of_controllers { "controller" } else { "broker" },
        ));
    }
    text
}

impl Admin {
    /// The cluster's id and its nodes: brokers, or controllers if started from those.
    pub(crate) async fn describe_cluster(
        &self,
        with_fenced: bool,
    ) -> Result<DescribeClusterResponse, Exception> {
        const BROKERS: i8 = 1;
        const CONTROLLERS: i8 = 2;
        let request = DescribeClusterRequest {
            endpoint_type: if self.starts_from_controllers() { CONTROLLERS } else { BROKERS },
            include_fenced_brokers: with_fenced,
            ..Default::default()
        };
        let response = self.ask_anybody("describeCluster", request).await?;
        check(response.error_code, response.error_message.as_deref())?;
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_points_are_listed_by_number() {
        let node = |broker_id, host: &str, rack: Option<&str>, is_fenced| {
            describe_cluster_response::DescribeClusterBroker {
                broker_id,
                host: host.into(),
                port: 9092,
                rack: rack.map(Into::into),
                is_fenced,
                ..Default::default()
            }
        };
        let brokers = vec![node(2, "127.0.0.1", None, true), node(1, "127.0.0.1", None, false)];
        let cluster = DescribeClusterResponse { brokers, ..Default::default() };
        assert_eq!(
            table(cluster.clone(), false),
            "ID         HOST      PORT       RACK       STATE      ENDPOINT_TYPE  \n\
             1          127.0.0.1 9092       null       unfenced   broker         \n\
             2          127.0.0.1 9092       null       fenced     broker         \n"
        );
        assert_eq!(
            table(cluster, true),
            "ID         HOST      PORT       RACK       ENDPOINT_TYPE  \n\
             1          127.0.0.1 9092       null       controller     \n\
             2          127.0.0.1 9092       null       controller     \n"
        );
    }
}
