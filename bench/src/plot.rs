//! Bars on a logarithmic scale, as SVG by hand: a plot needs no library.

use std::fmt::Write as _;

const LEFT: f64 = 150.0;
const WIDTH: f64 = 560.0;
const ROW: f64 = 34.0;
const TOP: f64 = 56.0;
const OTTLA: &str = "#2a7f62";
const KAFKA: &str = "#9aa5b1";

/// One row per workload: the ratios of Ottla and Kafka to the floor, which is the line at 1.
pub fn ratios(title: &str, rows: &[(&str, Option<f64>, Option<f64>)]) -> String {
    let values = rows.iter().flat_map(|(_, ottla, kafka)| [*ottla, *kafka]).flatten();
    let (low, high) =
        values.fold((0.5, 2.0), |(low, high): (f64, f64), value| (low.min(value), high.max(value)));
    let x = |value: f64| LEFT + WIDTH * (value.max(low) / low).ln() / (high / low).ln();
    let height = TOP + ROW * rows.len() as f64 + 20.0;
    let mut out = String::new();
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{:.0}" height="{height:.0}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="10" y="20" font-size="15">{title}</text>
<rect x="10" y="30" width="12" height="12" fill="{OTTLA}"/><text x="27" y="40">Ottla</text>
<rect x="80" y="30" width="12" height="12" fill="{KAFKA}"/><text x="97" y="40">Kafka</text>"#,
        LEFT + WIDTH + 70.0
    );
    for (at, (name, ottla, kafka)) in rows.iter().enumerate() {
        let y = TOP + ROW * at as f64;
        let _ = writeln!(out, r#"<text x="10" y="{:.0}">{name}</text>"#, y + 19.0);
        for (value, color, down) in [(ottla, OTTLA, 3.0), (kafka, KAFKA, 16.0)] {
            let Some(value) = *value else { continue };
            let (from, to) = (x(1.0).min(x(value)), x(1.0).max(x(value)));
            let _ = writeln!(
                out,
                r#"<rect x="{from:.1}" y="{:.1}" width="{:.1}" height="11" fill="{color}"/><text x="{:.1}" y="{:.1}">{value:.2}</text>"#,
                y + down,
                (to - from).max(1.0),
                to + 4.0,
                y + down + 10.0
            );
        }
    }
    let one = x(1.0);
    let _ = writeln!(
        out,
        r#"<line x1="{one:.1}" y1="{:.0}" x2="{one:.1}" y2="{height:.0}" stroke="black" stroke-dasharray="3"/>
</svg>"#,
        TOP - 6.0
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_bar_for_each_value_that_is_there() {
        let plot = ratios("CPU", &[("16k", Some(1.2), Some(5.5)), ("lz4", Some(0.8), None)]);
        assert_eq!(plot.matches("height=\"11\"").count(), 3);
        assert!(plot.contains(">5.50<") && plot.trim_end().ends_with("</svg>"));
    }
}
