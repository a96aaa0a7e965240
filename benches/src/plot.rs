//! A line plot as SVG: a logarithmic x axis, a y axis from 0.

use std::fmt::Write;

/// The size of the picture, and of the margins around the plot, in its own units.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;

/// One colour for each line, told apart also by those who do not see red and green (after Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000"];

/// One line: its name, and its points from left to right.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// Shown at its end.
    pub(crate) name: String,
    /// x, above 0, and y.
    pub(crate) points: Vec<(f64, f64)>,
}

/// What stands at the plot and its axes, with units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Titles {
    pub(crate) plot: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
}

/// Where the axes begin and end.
struct Scale {
    x_log: (f64, f64),
    y_max: f64,
    y_step: f64,
}

impl Scale {
    fn of(lines: &[Line]) -> Scale {
        let points = || lines.iter().flat_map(|line| &line.points);
        let from = points().map(|point| point.0.log10()).fold(f64::INFINITY, f64::min).floor();
        let to = points().map(|point| point.0.log10()).fold(f64::NEG_INFINITY, f64::max).ceil().max(from + 1.0);
        let most = points().map(|point| point.1).fold(1.0, f64::max);
        let decade = 10_f64.powf((most / 5.0).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
        let y_step = steps.into_iter().find(|step| step * 5.5 >= most).unwrap_or(10.0 * decade);
        Scale { x_log: (from, to), y_max: (most / y_step).ceil() * y_step, y_step }
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = (x.log10() - self.x_log.0) / (self.x_log.1 - self.x_log.0);
        (LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / self.y_max * (HEIGHT - TOP - BOTTOM))
    }
}

/// The picture.
pub(crate) fn svg(titles: Titles, lines: &[Line]) -> String {
    let scale = Scale::of(lines);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    text(&mut out, (middle, 28.0), "middle\" font-size=\"16", titles.plot);
    text(&mut out, (middle, HEIGHT - 14.0), "middle", titles.x);
    let turned = format!("middle\" transform=\"rotate(-90 20 {0})", (TOP + HEIGHT - BOTTOM) / 2.0);
    text(&mut out, (20.0, (TOP + HEIGHT - BOTTOM) / 2.0), &turned, titles.y);
    axes(&mut out, &scale);
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        draw(&mut out, &scale, line, colour);
    }
    names(&mut out, &scale, lines);
    out + "</svg>\n"
}

fn axes(out: &mut String, scale: &Scale) {
    for exponent in scale.x_log.0 as i32..=scale.x_log.1 as i32 {
        let value = 10_f64.powi(exponent);
        let (x, bottom) = scale.place((value, 0.0));
        rule(out, (x, bottom), (x, TOP));
        text(out, (x, bottom + 20.0), "middle", &short(value));
    }
    for step in 0..=(scale.y_max / scale.y_step).round() as u32 {
        let value = f64::from(step) * scale.y_step;
        let (left, y) = scale.place((10_f64.powf(scale.x_log.0), value));
        rule(out, (left, y), (WIDTH - RIGHT, y));
        text(out, (left - 8.0, y + 4.0), "end", &short(value));
    }
}

fn draw(out: &mut String, scale: &Scale, line: &Line, colour: &str) {
    let places: Vec<(f64, f64)> = line.points.iter().map(|point| scale.place(*point)).collect();
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    // Writing to a string does not fail.
    let _ =
        writeln!(out, "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>", path.join(" "));
    for (x, y) in places {
        let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>");
    }
}

/// The names at the ends of the lines, moved apart where they would cover each other.
fn names(out: &mut String, scale: &Scale, lines: &[Line]) {
    let end = |line: &Line| line.points.last().map(|point| scale.place(*point).1);
    let mut ends: Vec<(f64, &Line, &str)> = lines
        .iter()
        .zip(COLOURS.iter().cycle())
        .filter_map(|(line, colour)| end(line).map(|y| (y, line, *colour)))
        .collect();
    ends.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut free_from = TOP;
    for (y, line, colour) in ends {
        let y = y.max(free_from);
        free_from = y + 17.0;
        text(out, (WIDTH - RIGHT + 10.0, y + 4.0), &format!("start\" fill=\"{colour}"), &line.name);
    }
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

fn rule(out: &mut String, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        out,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#ddd\"/>",
        from.0, from.1, to.0, to.1
    );
}

/// 10000 as `10k`, 5000000 as `5M`.
pub(crate) fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_between_the_axes_and_a_decade_is_as_wide_as_the_next() {
        let line = Line { name: "one".to_owned(), points: vec![(1e4, 50_000.0), (1e5, 90_000.0), (1e6, 20_000.0)] };
        let scale = Scale::of(std::slice::from_ref(&line));
        assert_eq!((scale.x_log, scale.y_max, scale.y_step), ((4.0, 6.0), 100_000.0, 20_000.0));
        let [(first, _), (second, _), (third, _)] = [0, 1, 2].map(|index| scale.place(line.points[index]));
        assert!((second - first - (third - second)).abs() < 1e-9);
        assert_eq!(scale.place((1e4, 0.0)), (LEFT, HEIGHT - BOTTOM));
        assert_eq!(scale.place((1e6, 100_000.0)), (WIDTH - RIGHT, TOP));
        assert!(svg(Titles { plot: "p", x: "x", y: "y" }, &[line]).contains(">100k</text>"));
    }

    #[test]
    fn large_numbers_are_short() {
        assert_eq!([0.0, 20.0, 10_000.0, 5_000_000.0].map(short), ["0", "20", "10k", "5M"]);
    }
}
