//! The log under faults, as its clients see it: a broker is killed, or its power cut, again and again while clients
//! write, read, delete records, make and delete topics; then everything is read, and the checker judges.
//!
//! One seed is one run. `acks=all` must lose nothing, `acks=1` nothing by a kill; what was read must stay.

mod connection;
mod faults;
mod load;
mod places;
mod power;
mod single;
mod stalls;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::broker::Broker;
use crate::checker::{self, Kind, Op, Outcome, Rules, Step};
use crate::environment::Environment;
use crate::jvm::Runner;
use crate::random::Random;
use crate::report::Report;
use crate::suites::disks;
use load::{Load, Sending};

pub(crate) use faults::{DAMAGE, cases, run as run_fault};
pub(crate) use power::FaultFs;
pub(crate) use single::{Produced, Single};
use stalls::LONG;

/// Partitions of the topic under load.
const PARTITIONS: i32 = 4;

/// Segments as small as topics may have them, rolled by time too, and removed soon.
const TOPIC_CONFIGS: &[(&str, &str)] =
    &[("segment.bytes", "1048576"), ("segment.ms", "400"), ("file.delete.delay.ms", "100")];

/// How the broker ends, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// kill -9.
    Kill,
    /// kill -9, and what was not synced is taken back.
    Power,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How the broker ends.
    pub(crate) ending: Ending,
    /// How often.
    pub(crate) times: u32,
    /// Which run.
    pub(crate) seed: u64,
    /// The build that is run; for power cuts one whose disk calls go through libc.
    pub(crate) binary: PathBuf,
}

/// Where the build is whose disk calls go through libc, beside the ordinary one.
pub(crate) fn libc_binary(environment: &Environment) -> Result<PathBuf> {
    let path = environment.ottla.with_file_name("ottla-libc");
    ensure!(
        path.exists(),
        "{} is missing: `cargo xtask test` and `cargo xtask chaos` make it",
        path.display()
    );
    Ok(path)
}

/// Runs one plan; an error tells what the checker found. Gives a line of what was done.
pub(crate) fn run(environment: &Environment, plan: &Plan) -> Result<String> {
    let directory = tempfile::tempdir()?;
    let broker = Broker::ottla(environment, directory.path()).binary(&plan.binary);
    let faultfs = match plan.ending {
        Ending::Power => Some(FaultFs::new(environment, directory.path(), &broker.data())?),
        Ending::Kill => None,
    };
    let mut broker = match &faultfs {
        Some(faultfs) => faultfs.around(broker, true),
        None => broker,
    };
    let mut runner = Runner::new(environment);
    let result = drive(&mut broker, &mut runner, faultfs.as_ref(), plan);
    let log = broker.log().unwrap_or_default();
    drop(broker);
    result.map_err(|error| {
        let kept = keep(environment, plan, directory.path(), &log);
        error.context(format!("seed {} of {:?}; {kept}", plan.seed, plan.ending))
    })
}

fn drive(
    broker: &mut Broker<'_>,
    runner: &mut Runner<'_>,
    faultfs: Option<&FaultFs>,
    plan: &Plan,
) -> Result<String> {
    broker.start(runner)?;
    let load = Load::new(broker.port, PARTITIONS);
    load.create_topic(TOPIC_CONFIGS)?;
    let mut random = Random::new(plan.seed);
    // After a power cut the sequences of what was not flushed are gone.
    let one = Sending { acks: 1, idempotent: plan.ending == Ending::Kill };
    let all = Sending { acks: -1, idempotent: true };
    let seed = plan.seed;
    let ended: Result<usize> = thread::scope(|scope| {
        let load = &load;
        let mut clients = vec![
            scope.spawn(move || load.produce(all, seed)),
            scope.spawn(move || load.produce(all, seed + 1)),
            scope.spawn(move || load.produce(one, seed + 2)),
        ];
        clients.push(scope.spawn(move || load.consume(seed + 3)));
        clients.push(scope.spawn(move || load.consume(seed + 4)));
        clients.push(scope.spawn(move || load.delete_records(seed + 5)));
        clients.push(scope.spawn(move || load.churn_topics(seed + 6)));
        let ended = end_again_and_again(broker, runner, faultfs, plan, load, &mut random);
        load.stop();
        for client in clients {
            client.join().expect("a client does not panic")?;
        }
        ended
    });
    let taken = ended?;
    let reader = load.read_all()?;
    load.check_topics()?;
    broker.check_alive()?;
    let lossy = if plan.ending == Ending::Power { load.lossy() } else { Vec::new() };
    let suspicions = load.suspicions();
    let history = load.into_history();
    let judged = judge(history.clone(), reader, &lossy, plan, taken).and_then(|told| {
        ensure!(suspicions.is_empty(), "the checker finds nothing, and yet {}", suspicions.join("; "));
        Ok(told)
    });
    judged.inspect_err(|_| {
        // Beside the log, for whoever looks into it.
        drop(
            checker::history::write(&history)
                .map(|text| fs::write(broker.log_file().with_extension("jsonl"), text)),
        );
    })
}

fn end_again_and_again(
    broker: &mut Broker<'_>,
    runner: &mut Runner<'_>,
    faultfs: Option<&FaultFs>,
    plan: &Plan,
    load: &Load,
    random: &mut Random,
) -> Result<usize> {
    let mut taken = 0;
    for _ in 0..plan.times {
        thread::sleep(Duration::from_millis(random.between(100, 900)));
        broker.kill()?;
        load.note_crash();
        if let Some(faultfs) = faultfs {
            taken += faultfs.cut_power(random.bits())?;
        }
        broker.start(runner)?;
    }
    thread::sleep(Duration::from_millis(300));
    Ok(taken)
}

fn judge(mut history: Vec<Op>, reader: u64, lossy: &[u64], plan: &Plan, taken: usize) -> Result<String> {
    let records = |history: &[Op]| -> usize {
        let sends = history.iter().filter(|op| op.kind == Kind::Send && op.outcome == Outcome::Ok);
        sends.map(|op| op.steps.len()).sum()
    };
    let acknowledged = records(&history);
    if let Some(why) = checker::inconclusive(&history, 500) {
        bail!("inconclusive: {why}");
    }
    for op in history.iter_mut().filter(|op| lossy.contains(&op.process)) {
        // What `acks=1` says of a broker whose power went: nothing.
        op.outcome = Outcome::Info;
        for step in &mut op.steps {
            if let Step::Send(_, _, offset) = step {
                *offset = None;
            }
        }
    }
    let rules = Rules { idempotent: true, last_reader: Some(reader), ..Rules::default() };
    let anomalies = checker::check(&history, rules);
    ensure!(anomalies.is_empty(), "{}", checker::describe(&anomalies, 3));
    let took =
        if plan.ending == Ending::Power { format!(", {taken} changes taken back") } else { String::new() };
    Ok(format!("{acknowledged} records acknowledged, {} times{took}", plan.times))
}

/// Keeps what is needed to look into a failure.
fn keep(environment: &Environment, plan: &Plan, directory: &Path, log: &str) -> String {
    let keep = || -> Result<String> {
        let to = environment.out("chaos")?.join(format!("{:?}-{}", plan.ending, plan.seed));
        fs::create_dir_all(&to)?;
        fs::write(to.join("ottla.log"), log)?;
        let history = directory.join("ottla.jsonl");
        if history.exists() {
            fs::copy(history, to.join("history.jsonl"))?;
        }
        Ok(to.display().to_string())
    };
    keep().with_context(|| directory.display().to_string()).unwrap_or_else(|error| format!("{error:#}"))
}

/// The long form: `log` with so many seeds of kills and of power cuts, and every case of a disk that fails.
pub fn log(environment: &Environment, first: u64, seeds: u64, report: &mut Report) -> Result<()> {
    let libc = libc_binary(environment)?;
    for seed in first..first + seeds {
        for (ending, times, binary) in [(Ending::Kill, 100, &environment.ottla), (Ending::Power, 25, &libc)] {
            let plan = Plan { ending, times, seed, binary: binary.clone() };
            case(environment, report, &plan);
        }
    }
    for fault in cases().chain(LONG) {
        report.case(fault.name, || run_fault(environment, &libc, fault));
    }
    report.case(DAMAGE.0, || DAMAGE.1(environment, &environment.ottla));
    // Several minutes each.
    for seed in first..first + seeds.div_ceil(5) {
        disks::moves::run(environment, report, 2, seed)?;
    }
    Ok(())
}

/// Builds that are broken on purpose, beside the ordinary one; what each breaks must be found. One that is not is the
/// failure.
pub fn broken(environment: &Environment, first: u64, report: &mut Report) -> Result<()> {
    for (name, ending) in [
        ("broken-ack-before-write", Ending::Kill),
        ("broken-no-fsync", Ending::Power),
        ("broken-cut-at-first-bad-batch", Ending::Kill),
    ] {
        let binary = environment.ottla.with_file_name(format!("ottla-{name}"));
        ensure!(binary.exists(), "{} is missing", binary.display());
        report.case(&format!("{name}_is_caught"), || {
            if name == "broken-cut-at-first-bad-batch" {
                return caught(name, DAMAGE.1(environment, &binary).map(|()| String::new()));
            }
            for seed in first..first + 5 {
                let found = run(environment, &Plan { ending, times: 10, seed, binary: binary.clone() });
                if found.is_err() {
                    return caught(name, found);
                }
            }
            bail!("five seeds of {ending:?} find nothing wrong with {name}")
        });
    }
    Ok(())
}

/// What was found must be records that are missing, not that the run broke down.
fn caught(name: &str, found: Result<String>) -> Result<()> {
    let Err(error) = found else { bail!("nothing wrong is found with {name}") };
    let text = format!("{error:#}");
    let names =
        ["lost-acknowledged", "vanished", "lost-write", "unseen", "inconsistent-offset", faults::CUT_AWAY];
    ensure!(names.iter().any(|name| text.contains(name)), "found something else: {text}");
    println!("      {}", text.lines().take(3).collect::<Vec<_>>().join(" | "));
    Ok(())
}

/// Runs a plan as a case of a report.
pub(crate) fn case(environment: &Environment, report: &mut Report, plan: &Plan) {
    let name = match plan.ending {
        Ending::Kill => format!("nothing_acknowledged_is_lost_by_kills_of_seed_{}", plan.seed),
        Ending::Power => format!("nothing_acknowledged_by_all_is_lost_by_power_cuts_of_seed_{}", plan.seed),
    };
    report.case(&name, || {
        println!("      {}", run(environment, plan)?);
        Ok(())
    });
}
