//! Dead letters over time: which bars there are, and how they are drawn.

use event::Timestamp;
use letters::Filter;
use maud::{Markup, html};

use super::address;
use super::layout::{counted, grouped, short};

/// The most bars from the oldest letter to now.
const MOST_BARS: u64 = 60;

/// The fewest: a single letter is a thin bar, not a wall.
const FEWEST_BARS: u64 = 30;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What a bar may stand for, in milliseconds. The last is wide enough for [`LONGEST`].
const STEPS: [u64; 9] = [
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
];

/// SQS keeps a message for 14 days; what claims to be older (or to come from the future) is not drawn.
const LONGEST: u64 = 30 * DAY;

/// Letters counted in spans of equal length.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Histogram {
    /// When the first bar begins, in Unix milliseconds.
    start: u64,
    /// How long one bar is, in milliseconds.
    step: u64,
    /// One number per bar.
    counts: Vec<u64>,
    /// How many letters lie outside.
    outside: u64,
}

impl Histogram {
    /// Counts moments up to now. None if there is nothing to draw.
    pub(super) fn of(
        moments: impl Iterator<Item = Timestamp> + Clone,
        now: Timestamp,
    ) -> Option<Self> {
        let now = now.as_millis();
        let drawn = |at: &u64| (now.saturating_sub(LONGEST)..=now).contains(at);
        let moments = moments.map(Timestamp::as_millis);
        let oldest = moments.clone().filter(drawn).min()?;
        let bars = |step: u64| now / step - oldest / step + 1;
        let step = STEPS.into_iter().find(|step| bars(*step) <= MOST_BARS);
        let step = step.unwrap_or(DAY);
        // One more, so that the oldest does not stick to the axis.
        let number = (bars(step) + 1).max(FEWEST_BARS);
        let first = (now / step).saturating_sub(number - 1);
        let mut counts = vec![0; number as usize];
        let mut outside = 0;
        for at in moments {
            if drawn(&at) {
                counts[(at / step - first) as usize] += 1;
            } else {
                outside += 1;
            }
        }
        Some(Self {
            start: first * step,
            step,
            counts,
            outside,
        })
    }

    /// When a bar begins; the bar after the last one begins where that ends.
    fn begin(&self, bar: usize) -> Timestamp {
        Timestamp::from_millis(self.start + self.step * bar as u64)
    }

    /// The bars that have letters, and how many.
    fn bars(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.counts.iter().copied().enumerate();
        counts.filter(|(_, count)| *count > 0)
    }

    /// The top of the axis: the next 1, 2, 4 or 5 with zeros.
    fn top(&self) -> u64 {
        let most = self.counts.iter().copied().max().unwrap_or(0).max(1);
        let mut unit = 1;
        loop {
            if let Some(times) = [1, 2, 4, 5].into_iter().find(|times| unit * times >= most) {
                return unit * times;
            }
            unit *= 10;
        }
    }

    fn step_name(&self) -> String {
        match self.step {
            step if step.is_multiple_of(DAY) => format!("{} d", step / DAY),
            step if step.is_multiple_of(HOUR) => format!("{} h", step / HOUR),
            step => format!("{} min", step / MINUTE),
        }
    }
}

/// Heights in pixels: above the bars, of the bars, and of the whole drawing, which is as wide as there is room.
const TOP_PX: u64 = 8;
const BARS_PX: u64 = 160;
const HEIGHT_PX: u64 = TOP_PX + BARS_PX + 24;

/// Room for the numbers of the axis.
const AXIS_PX: u64 = 52;

/// The drawing, with a table that says the same.
pub(super) fn render(histogram: &Histogram) -> Markup {
    html! {
        figure #plot .card.plot {
            figcaption {
                h2 { "Over time" }
                p.hint { "Dead letters per " (histogram.step_name()) ", by time of death (UTC)" }
            }
            (drawing(histogram))
            @if histogram.outside > 0 {
                p.note { (grouped(histogram.outside)) " of other times are not drawn" }
            }
            (table(histogram))
        }
    }
}

fn drawing(histogram: &Histogram) -> Markup {
    let top = histogram.top();
    let bars = histogram.counts.len();
    let percent = |bar: f64| format!("{:.3}%", bar * 100.0 / bars as f64);
    html! {
        div.drawing aria-hidden="true" {
            svg.axis width=(AXIS_PX) height=(HEIGHT_PX) focusable="false" {
                @for tick in ticks(top) {
                    text.tick x=(AXIS_PX - 8) y=(TOP_PX + BARS_PX - BARS_PX * tick / top + 4) text-anchor="end" {
                        (grouped(tick))
                    }
                }
            }
            svg width="100%" height=(HEIGHT_PX) focusable="false" {
                @for tick in ticks(top) {
                    @let y = TOP_PX + BARS_PX - BARS_PX * tick / top;
                    line.grid x1="0" x2="100%" y1=(y) y2=(y) {}
                }
                @for (bar, count) in histogram.bars() {
                    @let height = (BARS_PX * count / top).max(2);
                    a href=(address(histogram, bar)) tabindex="-1" {
                        title { (span(histogram, bar)) ": " (counted(count as usize, "dead letter", "dead letters")) }
                        rect.bar x=(percent(bar as f64 + 0.1)) width=(percent(0.8)) y=(TOP_PX + BARS_PX - height)
                            height=(height) {}
                    }
                }
                @for (at, anchor) in [(0, "start"), (bars / 2, "middle"), (bars, "end")] {
                    text.tick x=(percent(at as f64)) y=(HEIGHT_PX - 6) text-anchor=(anchor) {
                        (axis_label(histogram, at))
                    }
                }
            }
        }
    }
}

fn table(histogram: &Histogram) -> Markup {
    html! {
        details {
            summary { "As a table" }
            div.scroll tabindex="0" role="region" aria-label="Dead letters over time" {
                table.plain {
                    thead { tr { th scope="col" { "From (UTC)" } th scope="col" { "Dead letters" } } }
                    tbody {
                        @for (bar, count) in histogram.bars() {
                            tr {
                                td { a href=(address(histogram, bar)) { (span(histogram, bar)) } }
                                td.number { (grouped(count)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn ticks(top: u64) -> Vec<u64> {
    if top.is_multiple_of(2) {
        vec![0, top / 2, top]
    } else {
        vec![0, top]
    }
}

fn axis_label(histogram: &Histogram, bar: usize) -> String {
    let at = short(histogram.begin(bar));
    // Year and seconds say nothing here.
    at.get(5..16).unwrap_or(&at).to_owned()
}

fn span(histogram: &Histogram, bar: usize) -> String {
    let (from, to) = (short(histogram.begin(bar)), short(histogram.begin(bar + 1)));
    let to = if from.get(..10) == to.get(..10) {
        &to[11..16]
    } else {
        &to[..16]
    };
    format!("{} to {to}", &from[..16])
}

fn address(histogram: &Histogram, bar: usize) -> String {
    address::of_matching(&Filter {
        since: Some(histogram.begin(bar)),
        until: Some(histogram.begin(bar + 1)),
        ..Filter::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-02-12T14:30:00Z
    const NOW: u64 = 1_739_370_600_000;

    fn histogram(ago: &[u64]) -> Option<Histogram> {
        let moments: Vec<_> = ago
            .iter()
            .map(|ago| Timestamp::from_millis(NOW - ago))
            .collect();
        Histogram::of(moments.iter().copied(), Timestamp::from_millis(NOW))
    }

    #[test]
    fn every_letter_is_in_one_bar_and_the_last_bar_is_now() {
        let drawn = histogram(&[0, 0, 30_000, 10 * MINUTE, 29 * MINUTE]).unwrap();
        assert_eq!(
            (drawn.step, drawn.counts.len(), drawn.outside),
            (MINUTE, 31, 0)
        );
        assert_eq!(drawn.counts.iter().sum::<u64>(), 5);
        assert_eq!(
            (drawn.counts[30], drawn.counts[29], drawn.counts[1]),
            (2, 1, 1)
        );
        assert_eq!(drawn.begin(30).as_millis(), NOW);
    }

    #[test]
    fn a_longer_time_has_wider_bars_and_never_more_of_them() {
        for (ago, step) in [
            (59 * MINUTE, MINUTE),
            (61 * MINUTE, 5 * MINUTE),
            (2 * DAY, HOUR),
            (14 * DAY, 6 * HOUR),
            (LONGEST, 12 * HOUR + 12 * HOUR),
        ] {
            let drawn = histogram(&[ago]).unwrap();
            assert_eq!(drawn.step, step, "{ago}");
            assert!(drawn.counts.len() as u64 <= MOST_BARS + 1);
            assert_eq!(drawn.counts.iter().sum::<u64>(), 1);
        }
    }

    #[test]
    fn impossible_times_are_counted_and_not_drawn() {
        let moments = [0, NOW, NOW + DAY, Timestamp::MAX.as_millis()].map(Timestamp::from_millis);
        let drawn = Histogram::of(moments.into_iter(), Timestamp::from_millis(NOW)).unwrap();
        assert_eq!((drawn.outside, drawn.counts.iter().sum::<u64>()), (3, 1));
        assert_eq!(
            Histogram::of([].into_iter(), Timestamp::from_millis(NOW)),
            None
        );
    }

    #[test]
    fn the_axis_ends_at_a_round_number() {
        for (most, top) in [
            (1, 1),
            (3, 4),
            (5, 5),
            (6, 10),
            (11, 20),
            (301, 400),
            (9_999, 10_000),
        ] {
            let drawn = histogram(&vec![0; most]).unwrap();
            assert_eq!(drawn.top(), top);
        }
    }

    #[test]
    fn the_drawing_says_the_same_in_a_table() {
        let drawn = render(&histogram(&[0, 0, 10 * MINUTE]).unwrap()).into_string();
        assert!(
            drawn.contains("2025-02-12 14:30 to 14:31: 2 dead letters"),
            "{drawn}"
        );
        assert_eq!(drawn.matches("<rect").count(), 2);
        let address =
            "/letters?since=2025-02-12T14%3A30%3A00.000Z&amp;until=2025-02-12T14%3A31%3A00.000Z";
        assert_eq!(drawn.matches(address).count(), 2, "{drawn}");
    }
}
