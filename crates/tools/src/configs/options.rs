//! The options of `kafka-configs` and which of them go together.

use super::entities::{self, Entities, EntityType, SHORT, SHORT_DEFAULTS};
use crate::admin::{Admin, Bootstrap};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::{Arguments, Opt};

pub(super) const TABLE: &[Opt] = &[
    Opt::text("bootstrap-server", "server to connect to", "Brokers to start from: host:port,host:port."),
    Opt::text("bootstrap-controller", "controller to connect to", "Or controllers to start from."),
    Opt::text(
        "command-config",
        "command config property file",
        "A file with settings for the client, key=value.",
    ),
    Opt::flag("alter", "Change settings."),
    Opt::flag("describe", "Print settings."),
    Opt::flag("all", "Print all settings, not only those that were set at run time."),
    Opt::text(
        "entity-type",
        "",
        "What the settings belong to: topics, clients, users, brokers, broker-loggers, ips, client-metrics, groups.",
    ),
    Opt::text("entity-name", "", "The name of the topic, client, user, … or the number of the broker."),
    Opt::flag("entity-default", "The default of all clients, users, brokers or IP addresses."),
    Opt::text(
        "add-config",
        "",
        "Settings to make: k1=v1,k2=[v1,v2],k3=v3. All settings that there are and what they are now: --describe \
         --all. Quotas of users and clients: producer_byte_rate, consumer_byte_rate, request_percentage, \
         controller_mutation_rate; of IP addresses: connection_creation_rate. Users and clients may be named together \
         for the clients of a user.",
    ),
    Opt::text("add-config-file", "", "A file with settings to make, key=value."),
    Opt::text("delete-config", "", "Settings to take back: k1,k2.").separated_by(','),
    Opt::text("topic", "", "A topic."),
    Opt::text("client", "", "A client, by its id."),
    Opt::flag("client-defaults", "The default of all clients."),
    Opt::text("user", "", "A user, by the name of its principal."),
    Opt::flag("user-defaults", "The default of all users."),
    Opt::text("broker", "", "A broker, by its number."),
    Opt::flag("broker-defaults", "The default of all brokers."),
    Opt::text("broker-logger", "", "The loggers of a broker, by its number."),
    Opt::flag("ip-defaults", "The default of all IP addresses."),
    Opt::text("ip", "", "An IP address."),
    Opt::text("group", "", "A group."),
    Opt::text("client-metrics", "", "A subscription of client metrics."),
];

const ABOUT: &str = "Describe and change the settings of topics, brokers, groups and client metrics, and quotas of users, clients and \
     IP addresses.";

/// The cluster that is meant.
pub(super) fn admin(arguments: &Arguments) -> Result<Admin, Failure> {
    let bootstrap = match arguments.text("bootstrap-server")? {
        Some(servers) => Bootstrap::Server(servers),
        None => Bootstrap::Controller(
            arguments.text("bootstrap-controller")?.expect("one of the two was checked"),
        ),
    };
    Ok(Admin::open(bootstrap, arguments.text("command-config")?)?)
}

fn illegal<T>(text: impl Into<String>) -> Result<T, Failure> {
    Err(Exception::illegal_argument(text).into())
}

/// Complains about what does not go together, in the order and words of the original; answers what is meant.
pub(super) fn check(arguments: &Arguments, cx: &mut Context<'_>) -> Result<Entities, Failure> {
    arguments.answer_help(cx, ABOUT)?;
    if arguments.has("alter") == arguments.has("describe") {
        return Err(arguments.usage(cx, "Command must include exactly one action: --describe, --alter"));
    }
    arguments.exclude(cx, "describe", &["add-config", "delete-config"])?;
    let types = check_types(arguments)?;
    let specific = SHORT.iter().chain(&SHORT_DEFAULTS).any(|(option, _)| arguments.has(option));
    if specific && ["entity-name", "entity-type", "entity-default"].iter().any(|option| arguments.has(option))
    {
        return illegal(
            "--entity-{type,name,default} should not be used in conjunction with specific entity flags",
        );
    }
    let names = entities::names(arguments)?;
    if arguments.has("bootstrap-server") && arguments.has("bootstrap-controller") {
        return illegal("Only one of --bootstrap-server or --bootstrap-controller can be specified");
    }
    let entities = Entities { types, names };
    check_names(arguments, &entities)?;
    if arguments.has("describe") {
        check_describe(arguments, &entities)?
    } else {
        check_alter(arguments, &entities)?
    }
    Ok(entities)
}

fn check_types(arguments: &Arguments) -> Result<Vec<EntityType>, Failure> {
    let names = entities::type_names(arguments);
    let repeated: Vec<&str> = names
        .iter()
        .enumerate()
        .filter(|(index, name)| names[..*index].contains(name))
        .map(|(_, name)| name.as_str())
        .collect();
    if !repeated.is_empty() {
        return illegal(format!("Duplicate entity type(s) specified: {}", repeated.join(",")));
    }
    if !arguments.has("bootstrap-server") && !arguments.has("bootstrap-controller") {
        return illegal("Either --bootstrap-server or --bootstrap-controller must be specified.");
    }
    let mut types = Vec::new();
    for name in &names {
        let Some(kind) = EntityType::ALL.into_iter().find(|kind| kind.name() == name) else {
            let all: Vec<&str> = EntityType::ALL.iter().map(|kind| kind.name()).collect();
            return illegal(format!(
                "Invalid entity type {name}, the entity type must be one of {} with a --bootstrap-server or \
                 --bootstrap-controller argument",
                all.join(", ")
            ));
        };
        types.push(kind);
    }
    if types.is_empty() {
        return illegal("At least one entity type must be specified");
    }
    let are_user_and_client = types.contains(&EntityType::User) && types.contains(&EntityType::Client);
    if types.len() > 2 || types.len() == 2 && !are_user_and_client {
        return illegal("Only 'users' and 'clients' entity types may be specified together");
    }
    Ok(types)
}

fn check_names(arguments: &Arguments, entities: &Entities) -> Result<(), Failure> {
    let first = entities.types[0].name();
    let has_name = entities.names.iter().any(|name| !name.is_empty());
    let given = |options: &[&'static str]| -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        for option in options.iter().filter(|option| arguments.has(option)) {
            names.push(arguments.text(option)?.unwrap_or_default().to_string());
        }
        Ok(names)
    };
    let is_broker = |kind: &EntityType| matches!(kind, EntityType::Broker | EntityType::BrokerLogger);
    if has_name && entities.types.iter().any(is_broker) {
        let names = given(&["entity-name", "broker", "broker-logger"])?;
        if let Some(name) = names.iter().find(|name| name.parse::<i32>().is_err()) {
            return illegal(format!(
                "The entity name for {first} must be a valid integer broker id, but it is: {name}"
            ));
        }
    }
    if has_name && entities.types.contains(&EntityType::Ip) {
        let resolves = |name: &String| std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 0)).is_ok();
        if let Some(name) = given(&["entity-name", "ip"])?.iter().find(|name| !resolves(name)) {
            return illegal(format!(
                "The entity name for {first} must be a valid IP or resolvable host, but it is: {name}"
            ));
        }
    }
    Ok(())
}

/// Whether there is a default for all entities of one of the types.
fn have_defaults(types: &[EntityType]) -> bool {
    types.iter().any(|kind| kind.has_quotas() || *kind == EntityType::Broker)
}

fn type_list(types: &[EntityType]) -> String {
    let names: Vec<&str> = types.iter().map(|kind| kind.name()).collect();
    names.join(",")
}

fn check_describe(arguments: &Arguments, entities: &Entities) -> Result<(), Failure> {
    let types = type_list(&entities.types);
    if !have_defaults(&entities.types) && arguments.has("entity-default") {
        return illegal(format!("--entity-default must not be specified with --describe of {types}"));
    }
    let has_name = entities.names.iter().any(|name| !name.is_empty());
    if entities.types.contains(&EntityType::BrokerLogger) && !has_name {
        return illegal(format!("An entity name must be specified with --describe of {types}"));
    }
    Ok(())
}

fn check_alter(arguments: &Arguments, entities: &Entities) -> Result<(), Failure> {
    let has_name = entities.names.iter().any(|name| !name.is_empty());
    if have_defaults(&entities.types) {
        if entities.names.is_empty() {
            return illegal(
                "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
            );
        }
    } else if !has_name {
        let types = type_list(&entities.types);
        return illegal(format!("An entity name must be specified with --alter of {types}"));
    }
    let (add, file) = (arguments.has("add-config"), arguments.has("add-config-file"));
    if add && file {
        return illegal("Only one of --add-config or --add-config-file must be specified");
    }
    if !add && !file && !arguments.has("delete-config") {
        return illegal(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
        );
    }
    Ok(())
}
