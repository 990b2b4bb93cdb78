//! A tree of samples as a picture: a bar for each function, as wide as its samples, on top of the one that called it.
//! A browser shows the whole name of a bar when the mouse is on it.

use std::fmt::Write;

use super::stacks::{Node, Tree};

const WIDTH: f64 = 1_600.0;
const ROW: f64 = 17.0;
const HEAD: f64 = 30.0;
/// A narrower bar is left out.
const WIDTH_MIN: f64 = 0.3;
/// Of a letter, about.
const LETTER: f64 = 6.6;

/// The picture.
pub(crate) fn svg(title: &str, tree: &Tree) -> String {
    let mut picture =
        Picture { bars: String::new(), all: tree.samples(), rows: rows(&tree.root, tree.samples()) };
    picture.draw("all", &tree.root, 0.0, 0);
    let height = HEAD + picture.rows as f64 * ROW + 5.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"monospace\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fdfdf6\"/>\n<text x=\"8\" y=\"20\" \
         font-size=\"14\">{}, {} samples</text>\n{}</svg>\n",
        escaped(title),
        tree.samples(),
        picture.bars
    )
}

struct Picture {
    bars: String,
    all: u64,
    rows: usize,
}

impl Picture {
    fn draw(&mut self, name: &str, node: &Node, x: f64, row: usize) {
        let bar = width(node.samples, self.all);
        if bar < WIDTH_MIN {
            return;
        }
        let y = HEAD + (self.rows - 1 - row) as f64 * ROW;
        let share = 100.0 * node.samples as f64 / self.all as f64;
        let label: String = match (bar / LETTER) as usize {
            0..3 => String::new(),
            letters if letters >= name.chars().count() => escaped(name),
            letters => format!("{}…", escaped(&name.chars().take(letters - 1).collect::<String>())),
        };
        let written = writeln!(
            self.bars,
            "<g><title>{} ({} samples, {share:.1} %)</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" \
             height=\"{}\" fill=\"{}\"/><text x=\"{:.1}\" y=\"{:.1}\">{label}</text></g>",
            escaped(name),
            node.samples,
            bar - 0.2,
            ROW - 1.0,
            color(name, node.is_kernel),
            x + 3.0,
            y + 12.0,
        );
        written.expect("a text takes what is written");
        let mut x = x;
        for (name, called) in &node.called {
            self.draw(name, called, x, row + 1);
            x += width(called.samples, self.all);
        }
    }
}

fn width(samples: u64, all: u64) -> f64 {
    WIDTH * samples as f64 / all as f64
}

/// How many bars stand on each other.
fn rows(node: &Node, all: u64) -> usize {
    let seen = node.called.values().filter(|called| width(called.samples, all) >= WIDTH_MIN);
    1 + seen.map(|called| rows(called, all)).max().unwrap_or(0)
}

/// The kernel is blue; the rest is between red and yellow, the same for the same name.
fn color(name: &str, is_kernel: bool) -> String {
    let number =
        name.bytes().fold(7_u32, |number, byte| number.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let (hue, light) = (number % 45, 62 + number / 45 % 14);
    format!("hsl({},75%,{light}%)", if is_kernel { 200 + hue / 3 } else { 8 + hue })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_wide_as_their_samples_and_stand_on_their_callers() {
        let tree =
            Tree::parse("t\n\t1 a<B> (o)\n\t2 main (o)\n\nt\n\t3 write ([kernel.kallsyms])\n\t2 main (o)\n");
        let picture = svg("one & two", &tree);
        assert!(picture.contains(">one &amp; two, 2 samples<"), "{picture}");
        let bar = |name: &str| {
            let line = picture.lines().find(|line| line.contains(&format!("<title>{name} ("))).unwrap();
            let field = |key: &str| -> f64 {
                let value = line.split(&format!(" {key}=\"")).nth(1).unwrap();
                value.split('"').next().unwrap().parse().unwrap()
            };
            (field("x"), field("y"), field("width").ceil())
        };
        assert_eq!(bar("all"), (0.0, HEAD + 3.0 * ROW, 1_600.0));
        assert_eq!(bar("main"), (0.0, HEAD + ROW, 1_600.0));
        assert_eq!(bar("a&lt;B&gt;"), (0.0, HEAD, 800.0));
        assert_eq!(bar("write"), (800.0, HEAD, 800.0));
    }

    #[test]
    fn what_is_too_narrow_to_be_seen_is_left_out() {
        let many = "t\n\t1 often (o)\n\n".repeat(10_000);
        let picture = svg("", &Tree::parse(&format!("{many}t\n\t1 once (o)\n")));
        assert!(picture.contains("often") && !picture.contains("once"));
    }
}
