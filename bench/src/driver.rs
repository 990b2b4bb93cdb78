//! The session: brokers start once and stay; within a cell they take turns, in an order that each round rotates.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ottla_conformance::environment::{Environment, Kind as BrokerKind};
use ottla_conformance::jvm::Runner;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::cell::{Measured, Prepared, Times, measure};
use crate::guard::{self, Baseline, GUARDED};
use crate::load::batch::crc32c;
use crate::occasion::{Figure, OCCASIONS, Occasion, Stage};
use crate::participant::{Participant, Who};
use crate::report::{self, Header};
use crate::state::{self, Session, State};
use crate::table;
use crate::workload::{NOT_YET, WORKLOADS, Workload};

/// A cell that others disturb is measured again so many times at most; the calmest measurement counts.
const REPEATS_MAX: usize = 3;
/// How often the guard measures what seems to have got dearer.
const GUARD_PASSES_MAX: usize = 3;
/// Kafka is warm when two windows differ by less than this.
const WARM_WITHIN: f64 = 0.05;

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    rounds: usize,
    times: Times,
    only: Vec<String>,
    without: Vec<String>,
    /// Repetitions of a noisy measurement, and windows that Kafka may take to get warm.
    repeats: usize,
    warm_windows: usize,
    /// Whether everything is measured, and goes on where an earlier session was ended.
    full: bool,
    /// Whether brokers have the last core for themselves and the generator the first.
    pinned: bool,
    cores: usize,
    end: End,
    arguments: String,
}

/// What the session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A report beside the build.
    Report,
    /// A report in the repository.
    Commit,
    /// A comparison with the committed baseline.
    Guard,
    /// A new baseline.
    Rebase,
}

impl Options {
    /// Reads the arguments.
    pub fn parse(args: &[String]) -> Result<Options> {
        let quick = Times { warm_up: Duration::from_millis(500), window: Duration::from_secs(2) };
        let mut options = Options {
            rounds: 3,
            times: quick,
            only: Vec::new(),
            without: Vec::new(),
            repeats: 1,
            warm_windows: 3,
            full: false,
            pinned: false,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            end: End::Report,
            arguments: args.join(" "),
        };
        let mut rounds = None;
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} takes a value"));
            let names = |text: &str| text.split(',').map(str::to_owned).collect();
            match arg.as_str() {
                "--quick" => {}
                "--full" => {
                    options = Options {
                        rounds: 5,
                        times: Times { warm_up: Duration::from_secs(1), window: Duration::from_secs(5) },
                        repeats: REPEATS_MAX,
                        warm_windows: 10,
                        full: true,
                        ..options
                    };
                }
                "--pinned" => options.pinned = true,
                "--commit" => options.end = End::Commit,
                "--guard" => options = options.guarding(End::Guard),
                "--write-baseline" => options = options.guarding(End::Rebase),
                "--rounds" => rounds = Some(value()?.parse().context("--rounds takes a number")?),
                "--only" => options.only = names(value()?),
                "--without" => options.without = names(value()?),
                other => bail!("bench: unknown argument {other}"),
            }
        }
        options.rounds = rounds.unwrap_or(options.rounds);
        ensure!(options.rounds > 0, "no rounds, no figures");
        let is_guard = matches!(options.end, End::Guard | End::Rebase);
        ensure!(!(is_guard && options.full), "--guard and --write-baseline measure anew, --full does not");
        for name in &options.only {
            if let Some((_, why)) = NOT_YET.iter().find(|(known, _)| known == name) {
                bail!("{name} cannot be measured yet: {why}");
            }
            let mut known = WORKLOADS.iter().map(|w| w.name).chain(OCCASIONS.iter().map(|o| o.name));
            let all = known.clone().collect::<Vec<_>>().join(", ");
            ensure!(known.any(|known| known == name), "nothing is called {name}; there are {all}");
        }
        Ok(options)
    }

    /// The shortest form: the floor and Ottla alone, a few cells, windows of less than a second.
    fn guarding(self, end: End) -> Options {
        Options {
            rounds: 5,
            times: Times { warm_up: Duration::from_millis(100), window: Duration::from_millis(400) },
            only: GUARDED.iter().map(|&name| name.to_owned()).collect(),
            without: vec![Who::Kafka.name().to_owned()],
            repeats: 1,
            end,
            ..self
        }
    }

    fn chosen(&self) -> impl Iterator<Item = &'static Workload> {
        WORKLOADS
            .iter()
            .filter(|workload| self.only.is_empty() || self.only.iter().any(|name| name == workload.name))
    }

    /// Long occasions are left out of a look unless they are asked for.
    fn occasions(&self) -> impl Iterator<Item = &'static Occasion> {
        OCCASIONS.iter().filter(|occasion| match self.only.is_empty() {
            true => self.full || occasion.quick,
            false => self.only.iter().any(|name| name == occasion.name),
        })
    }

    fn wants(&self, who: Who) -> bool {
        !self.without.iter().any(|name| name == who.name())
    }
}

/// Runs the benchmark.
pub fn run(options: &Options) -> Result<()> {
    let environment = environment()?;
    let directory = tempfile::Builder::new().prefix("ottla-bench-").tempdir()?;
    let session = Session {
        binary: crc32c(&fs::read(&environment.ottla).context("Ottla's binary")?),
        pinned: options.pinned,
        window_ms: options.times.window.as_millis() as u64,
    };
    let mut state = State::open(options.full, &session)?;
    let mut runner = Runner::new(&environment);
    let mut brokers: HashMap<Who, Participant<'_>> = HashMap::new();
    for workload in options.chosen() {
        let players: Vec<Who> = [Who::Floor, Who::Ottla, Who::OttlaDurable, Who::Kafka]
            .into_iter()
            .filter(|&who| who.plays(workload.durability) && options.wants(who))
            .collect();
        for &who in &players {
            if !brokers.contains_key(&who) && !state.has_all(workload, who, options.rounds) {
                // Threads of a process stay on the core that it was started on.
                stay_on(options, options.cores - 1)?;
                let broker = Participant::start(who, &environment, &mut runner, directory.path())?;
                stay_on(options, 0)?;
                broker.pause()?;
                brokers.insert(who, broker);
            }
        }
        cell(options, workload, &players, &brokers, &mut state)?;
        if options.end == End::Guard {
            let committed = Baseline::read(&baseline(&environment))?;
            insist(options, workload, &players, &brokers, &committed, &mut state)?;
        }
        table::print(workload, &state.of(workload));
    }
    // What is stopped keeps its memory; those that follow start their own.
    brokers.clear();
    for occasion in options.occasions() {
        for round in 0..options.rounds {
            for &who in occasion.players.iter().filter(|&&who| options.wants(who)) {
                if !state.has_figures(occasion, who, round) {
                    figures(occasion, who, round, options, &environment, &mut runner, &mut state)?;
                }
            }
        }
        table::print_occasion(occasion, &state.figures_of(occasion));
    }
    conclude(options, &environment, &state)
}

/// What the session was for.
fn conclude(options: &Options, environment: &Environment, state: &State) -> Result<()> {
    let target = match options.end {
        End::Guard => return guard::report(&Baseline::read(&baseline(environment))?, &Baseline::of(state)),
        End::Rebase => return Baseline::of(state).write(&baseline(environment)),
        End::Report => state::directory()?,
        End::Commit => committed(environment),
    };
    report::write(&target, &Header::now(&options.arguments, &environment.repository), state)?;
    println!("\nthe report is {}", target.join("report.md").display());
    Ok(())
}

/// One round of an occasion at one broker, in a directory of its own.
fn figures<'e>(
    occasion: &Occasion,
    who: Who,
    round: usize,
    options: &Options,
    environment: &'e Environment,
    runner: &mut Runner<'e>,
    state: &mut State,
) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("ottla-bench-").tempdir()?;
    let mut stage = Stage { environment, runner, directory: directory.path(), quick: !options.full };
    let figures =
        (occasion.run)(&mut stage, who).with_context(|| format!("{} at {}", occasion.name, who.name()))?;
    for (what, unit, value) in figures {
        state.add_figure(Figure {
            occasion: occasion.name.to_owned(),
            what: what.to_owned(),
            who,
            round,
            value,
            unit: unit.to_owned(),
        })?;
    }
    Ok(())
}

/// Where committed reports are.
fn committed(environment: &Environment) -> PathBuf {
    environment.repository.join("docs/benchmarks")
}

/// What the guard compares with.
fn baseline(environment: &Environment) -> PathBuf {
    committed(environment).join("baseline.json")
}

/// Binds this process, and those that it starts from now on, to a core, if that is wished.
fn stay_on(options: &Options, core: usize) -> Result<()> {
    if options.pinned {
        let mut set = CpuSet::new();
        set.set(core);
        sched_setaffinity(None, &set).context("bind to a core")?;
    }
    Ok(())
}

/// Where everything is.
pub(crate) fn environment() -> Result<Environment> {
    let repository =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().context("the repository")?.to_path_buf();
    let cache = std::env::var_os("OTTLA_CACHE").map_or_else(|| repository.join(".cache"), PathBuf::from);
    let ottla = match std::env::var_os("OTTLA_BINARY") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?.with_file_name("ottla"),
    };
    let ports = match std::env::var("OTTLA_TEST_PORTS") {
        Ok(port) => port.parse().context("OTTLA_TEST_PORTS")?,
        Err(_) => 21500,
    };
    ensure!(ottla.exists(), "there is no {}: build it with cargo build --release", ottla.display());
    Environment::new(repository, cache, ottla, BrokerKind::Ottla, ports)
}

/// What seems to have got dearer is measured again before it is said: the best of more rounds can only come nearer to what
/// it is without disturbance.
fn insist(
    options: &Options,
    workload: &Workload,
    players: &[Who],
    brokers: &HashMap<Who, Participant<'_>>,
    committed: &Baseline,
    state: &mut State,
) -> Result<()> {
    for times in 2..=GUARD_PASSES_MAX {
        if committed.allows(workload, state) {
            break;
        }
        let more = Options { rounds: options.rounds * times, ..options.clone() };
        cell(&more, workload, players, brokers, state)?;
    }
    Ok(())
}

/// All rounds of a workload.
fn cell(
    options: &Options,
    workload: &Workload,
    players: &[Who],
    brokers: &HashMap<Who, Participant<'_>>,
    state: &mut State,
) -> Result<()> {
    let mut prepared: HashMap<Who, Prepared> = HashMap::new();
    for round in 0..options.rounds {
        for turn in 0..players.len() {
            let who = players[(turn + round) % players.len()];
            if state.has(workload, who, round) {
                continue;
            }
            let broker = brokers.get(&who).context("a broker that was started")?;
            broker.resume()?;
            if let std::collections::hash_map::Entry::Vacant(entry) = prepared.entry(who) {
                let prepared = entry.insert(Prepared::new(workload, broker)?);
                warm(options, workload, broker, prepared)?;
            }
            let prepared = prepared.get_mut(&who).expect("inserted above");
            let measured = calmest(options, workload, broker, prepared, round)?;
            broker.pause()?;
            state.add(measured)?;
        }
    }
    for (who, prepared) in prepared {
        let broker = brokers.get(&who).context("a broker that was started")?;
        broker.resume()?;
        prepared.remove(broker)?;
        broker.pause()?;
    }
    Ok(())
}

/// Measures until nobody disturbs, or often enough.
fn calmest(
    options: &Options,
    workload: &Workload,
    broker: &Participant<'_>,
    prepared: &mut Prepared,
    round: usize,
) -> Result<Measured> {
    let mut best: Option<Measured> = None;
    for _ in 0..options.repeats {
        let measured = measure(workload, broker, prepared, options.times, round)?;
        let calm = !measured.noisy;
        if best.as_ref().is_none_or(|best| measured.others < best.others) {
            best = Some(measured);
        }
        if calm {
            break;
        }
    }
    best.context("nothing was measured")
}

/// One window that does not count: new pages of the page cache cost several times what used ones do. Kafka's compiler gets
/// as many windows as it needs until the cost of a unit no longer changes.
fn warm(
    options: &Options,
    workload: &Workload,
    broker: &Participant<'_>,
    prepared: &mut Prepared,
) -> Result<()> {
    let windows = if broker.who == Who::Kafka { options.warm_windows } else { 1 };
    let mut last = f64::INFINITY;
    for _ in 0..windows {
        let cpu = measure(workload, broker, prepared, options.times, 0)?.cpu_per_unit;
        if (last - cpu).abs() < WARM_WITHIN * cpu {
            break;
        }
        last = cpu;
    }
    Ok(())
}
