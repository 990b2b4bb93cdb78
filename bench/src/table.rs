//! Figures of a workload: absolute ones with minimum, median and maximum, and ratios of what was measured in the same
//! round.

use crate::cell::Measured;
use crate::occasion::{Figure, Limit, Occasion};
use crate::participant::Who;
use crate::workload::{Bar, Workload};

/// Minimum, median and maximum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The one in the middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of some values; nothing of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        Some(Spread { min: *values.first()?, median: values[values.len() / 2], max: *values.last()? })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", short(self.min), short(self.median), short(self.max))
    }
}

/// Three digits that count.
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Ratios of `figure` at `who` to that at `other`, each of one round.
pub fn ratios(measured: &[&Measured], who: Who, other: Who, figure: fn(&Measured) -> f64) -> Option<Spread> {
    let of = |who: Who, round: usize| measured.iter().find(|m| m.who == who && m.round == round);
    let own = measured.iter().filter(|m| m.who == who);
    Spread::of(own.filter_map(|m| Some(figure(m) / figure(of(other, m.round)?))))
}

/// What a bar is about, what it demands, what was reached and whether that is enough. Nothing if it was not measured.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What is compared.
    pub what: String,
    /// What it must be.
    pub bar: String,
    /// What it was.
    pub reached: Spread,
    /// Whether that is enough.
    pub verdict: Verdict,
}

/// Whether a bar was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The median is good enough.
    Met,
    /// The median is not.
    Missed,
    /// The median is good enough, and the rounds contradict each other too much to say so.
    TooNoisy,
}

/// Rounds that differ by more than this and lie on both sides of a bar do not show that it is met.
const SPREAD_MAX: f64 = 3.0;

impl Verdict {
    /// Of figures that may be `most` at most.
    fn at_most(most: f64, reached: Spread) -> Verdict {
        let both_sides = reached.min <= most && reached.max > most;
        if reached.median > most {
            Verdict::Missed
        } else if both_sides && reached.max > SPREAD_MAX * reached.min {
            Verdict::TooNoisy
        } else {
            Verdict::Met
        }
    }

    /// Of figures that must be `least` at least.
    fn at_least(least: f64, reached: Spread) -> Verdict {
        let Spread { min, median, max } = reached;
        Verdict::at_most(1.0 / least, Spread { min: 1.0 / max, median: 1.0 / median, max: 1.0 / min })
    }

    /// How a report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Missed => "MISSED",
            Verdict::TooNoisy => "too noisy to say",
        }
    }
}

/// Judges one bar.
pub fn judge(bar: Bar, measured: &[&Measured]) -> Option<Judged> {
    let ours = if measured.iter().any(|m| m.who == Who::Ottla) { Who::Ottla } else { Who::OttlaDurable };
    let ratio = |other, figure| ratios(measured, ours, other, figure);
    let own = |figure: fn(&Measured) -> f64| {
        Spread::of(measured.iter().filter(|m| m.who == ours).map(|m| figure(m)))
    };
    let cpu = |m: &Measured| m.cpu_per_unit;
    let p50 = |m: &Measured| m.latency.p50_us as f64;
    let (what, most, reached, suffix) = match bar {
        Bar::CpuOfFloor(most) => ("CPU", most, ratio(Who::Floor, cpu)?, " F"),
        Bar::CpuOfKafka(most) => ("CPU", most, ratio(Who::Kafka, cpu)?, " K"),
        Bar::P50OfFloor(most) => ("p50", most, ratio(Who::Floor, p50)?, " F"),
        Bar::P50OfKafka(most) => ("p50", most, ratio(Who::Kafka, p50)?, " K"),
        Bar::P99OfKafka(most) => ("p99", most, ratio(Who::Kafka, |m| m.latency.p99_us as f64)?, " K"),
        Bar::P999OfKafka(most) => ("p99.9", most, ratio(Who::Kafka, |m| m.latency.p999_us as f64)?, " K"),
        Bar::P50Micros(most) => ("p50", most, own(p50)?, " µs"),
        Bar::Cpu(most) => ("CPU", most, own(cpu)?, ""),
        Bar::RateOfKafka(least) => {
            let reached = ratio(Who::Kafka, |m| m.rate)?;
            let verdict = Verdict::at_least(least, reached);
            return Some(Judged { what: "rate".to_owned(), bar: format!("≥ {least} K"), reached, verdict });
        }
    };
    Some(Judged {
        what: what.to_owned(),
        bar: format!("≤ {most}{suffix}"),
        reached,
        verdict: Verdict::at_most(most, reached),
    })
}

/// Judges a figure of an occasion.
pub fn judge_figure(what: &str, limit: Limit, figures: &[&Figure]) -> Option<Judged> {
    let of = |who: fn(Who) -> bool| figures.iter().filter(move |f| f.what == what && who(f.who));
    let kafka = |round: usize| of(|who| who == Who::Kafka).find(|f| f.round == round).map(|f| f.value);
    let ours = of(|who| who != Who::Kafka);
    let unit = ours.clone().next()?.unit.clone();
    let (bar, most, reached) = match limit {
        Limit::AtMost(most) => (format!("≤ {most} {unit}"), most, Spread::of(ours.map(|f| f.value))?),
        Limit::OfKafka(most) => {
            let ratios = ours.filter_map(|f| Some(f.value / kafka(f.round)?));
            (format!("≤ {most} K"), most, Spread::of(ratios)?)
        }
    };
    Some(Judged { what: String::new(), bar, verdict: Verdict::at_most(most, reached), reached })
}

/// Figures of the same kind.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// What they are.
    pub what: &'a str,
    /// What they count.
    pub unit: &'a str,
    /// How those of each broker spread over the rounds.
    pub spreads: Vec<(Who, Spread)>,
}

/// Figures of an occasion by what they are, in their own order.
pub fn by_what<'a>(figures: &[&'a Figure]) -> Vec<Row<'a>> {
    let mut whats: Vec<(&str, &str)> = Vec::new();
    for figure in figures {
        if !whats.iter().any(|(what, _)| *what == figure.what) {
            whats.push((&figure.what, &figure.unit));
        }
    }
    let spread = |what: &str, who: Who| {
        let of = figures.iter().filter(|f| f.what == what && f.who == who);
        Spread::of(of.map(|f| f.value)).map(|spread| (who, spread))
    };
    let all = [Who::Floor, Who::Ottla, Who::OttlaDurable, Who::Kafka];
    whats
        .into_iter()
        .map(|(what, unit)| Row {
            what,
            unit,
            spreads: all.iter().filter_map(|&who| spread(what, who)).collect(),
        })
        .collect()
}

/// Prints an occasion.
pub fn print_occasion(occasion: &Occasion, figures: &[&Figure]) {
    println!("\n{}: {}", occasion.name, occasion.what);
    for Row { what, unit, spreads } in by_what(figures) {
        let values: Vec<String> =
            spreads.iter().map(|(who, spread)| format!("{} {spread}", who.name())).collect();
        let limit = occasion.limits.iter().find(|(limited, _)| *limited == what);
        let judged = limit
            .and_then(|(_, limit)| judge_figure(what, *limit, figures))
            .map(|judged| format!("  {} {}", judged.verdict.name(), judged.bar));
        println!("  {what:<42} {unit:<5} {}{}", values.join("   "), judged.unwrap_or_default());
    }
}

/// Prints a workload.
pub fn print(workload: &Workload, measured: &[&Measured]) {
    println!("\n{}: {} [acknowledged by the {}]", workload.name, workload.what, workload.durability.name());
    let unit = workload.unit.name();
    println!(
        "  {:<14} {:>24} {:>26} {:>18} {:>18} {:>9} {:>7}",
        "",
        format!("CPU {unit}"),
        "units/s",
        "p50 µs",
        "p99 µs",
        "switches",
        "noisy"
    );
    for who in [Who::Floor, Who::Ottla, Who::OttlaDurable, Who::Kafka] {
        let of: Vec<&&Measured> = measured.iter().filter(|m| m.who == who).collect();
        let spread = |figure: fn(&Measured) -> f64| {
            Spread::of(of.iter().map(|m| figure(m))).map_or(String::new(), |spread| spread.to_string())
        };
        if of.is_empty() {
            continue;
        }
        println!(
            "  {:<14} {:>24} {:>26} {:>18} {:>18} {:>9} {:>7}",
            who.name(),
            spread(|m| m.cpu_per_unit),
            spread(|m| m.rate),
            spread(|m| m.latency.p50_us as f64),
            spread(|m| m.latency.p99_us as f64),
            Spread::of(of.iter().map(|m| m.cost.switches as f64 / m.requests as f64))
                .map_or(String::new(), |spread| short(spread.median)),
            format!("{}/{}", of.iter().filter(|m| m.noisy).count(), of.len())
        );
    }
    for judged in workload.bars.iter().filter_map(|&bar| judge(bar, measured)) {
        let Judged { what, bar, reached, verdict } = judged;
        println!("  {:<6} {what} {bar}: {reached}", verdict.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(min: f64, median: f64, max: f64) -> Spread {
        Spread { min, median, max }
    }

    #[test]
    fn the_median_decides_unless_the_rounds_contradict_each_other() {
        assert_eq!(Verdict::at_most(1.3, spread(1.0, 1.2, 1.5)), Verdict::Met);
        assert_eq!(Verdict::at_most(1.3, spread(1.0, 1.4, 1.5)), Verdict::Missed);
        assert_eq!(Verdict::at_most(1.3, spread(0.5, 1.2, 2.0)), Verdict::TooNoisy);
        assert_eq!(Verdict::at_most(1.3, spread(2.0, 4.0, 9.0)), Verdict::Missed);
        assert_eq!(Verdict::at_least(4.0, spread(3.9, 4.1, 5.0)), Verdict::Met);
        assert_eq!(Verdict::at_least(4.0, spread(2.0, 4.1, 9.0)), Verdict::TooNoisy);
        assert_eq!(Verdict::at_least(4.0, spread(1.0, 2.0, 3.9)), Verdict::Missed);
    }

    #[test]
    fn a_spread_leaves_out_what_is_no_number() {
        assert_eq!(Spread::of([3.0, f64::NAN, 1.0, 2.0]), Some(spread(1.0, 2.0, 3.0)));
        assert_eq!(Spread::of([f64::INFINITY]), None);
    }
}
