//! Axes: round numbers, and units in which they are short.

/// What an axis measures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Quantity {
    /// In bytes.
    Bytes,
    /// In bits per second.
    Rate,
    /// In milliseconds.
    Time,
}

/// Axes end between these, in the quantity's own unit, so that no step is lost to rounding.
const SMALLEST: f64 = 1e-12;
const LARGEST: f64 = 1e300;

/// From zero to a round number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// In the quantity's own unit.
    pub(super) maximum: f64,
    /// Between ticks, in the quantity's own unit.
    pub(super) step: f64,
    /// One of this unit in the quantity's own.
    pub(super) factor: f64,
    pub(super) unit: &'static str,
}

impl Scale {
    /// A scale for values up to `largest`, with about `ticks` ticks; it ends at `largest` if it is
    /// to be `tight`.
    pub(super) fn new(quantity: Quantity, largest: f64, ticks: f64, tight: bool) -> Self {
        // A log may say anything.
        let largest = if largest > 0.0 { largest.clamp(SMALLEST, LARGEST) } else { 1.0 };
        let (factor, unit) = unit(quantity, largest);
        let step = round_up(largest / factor / ticks) * factor;
        let maximum = if tight { largest } else { (largest / step).ceil() * step };
        Self { maximum, step, factor, unit }
    }

    /// The ticks, each with what to write at it.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let Self { maximum, step, factor, .. } = *self;
        let digits = if step / factor < 0.0995 { 2 } else { usize::from(step / factor < 0.995) };
        (0..100_u32)
            .map(|index| f64::from(index) * step)
            .take_while(|value| *value <= maximum * 1.000_001)
            .map(|value| (value, format!("{:.digits$}", value / factor)))
            .collect()
    }

    /// The place of `value` between 0 and 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        (value / self.maximum).clamp(0.0, 1.0)
    }
}

fn unit(quantity: Quantity, largest: f64) -> (f64, &'static str) {
    let units: &[(f64, &str)] = match quantity {
        Quantity::Bytes => &[(1.0, "B"), (1024.0, "KiB"), (1_048_576.0, "MiB")],
        Quantity::Rate => &[(1.0, "bit/s"), (1e3, "kbit/s"), (1e6, "Mbit/s"), (1e9, "Gbit/s")],
        Quantity::Time => &[(1e-3, "µs"), (1.0, "ms"), (1000.0, "s")],
    };
    let fits = |unit: &&(f64, &'static str)| largest >= unit.0 * 2.0;
    units.iter().rfind(fits).or(units.first()).copied().unwrap_or((1.0, ""))
}

/// The next of 1, 2, 5, 10, 20, ...
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let mantissa = value / power;
    let round = [1.0, 2.0, 5.0].into_iter().find(|round| mantissa <= *round * 1.000_001);
    round.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_largest_value() {
        let labels = |scale: Scale| -> Vec<String> {
            scale.ticks().into_iter().map(|(_, label)| label).collect()
        };
        let scale = Scale::new(Quantity::Bytes, 300_000.0, 4.0, false);
        assert_eq!(
            (labels(scale), scale.unit),
            (vec!["0".into(), "100".into(), "200".into(), "300".into()], "KiB")
        );
        let scale = Scale::new(Quantity::Time, 0.9, 5.0, false);
        assert_eq!(scale.unit, "µs");
        let scale = Scale::new(Quantity::Rate, 7.7e9, 4.0, false);
        assert_eq!((scale.unit, scale.maximum), ("Gbit/s", 8e9));
        for wild in [0.0, f64::NAN, f64::INFINITY, f64::MAX, 5e-324, 1e-9, 1e300, -1.0] {
            let scale = Scale::new(Quantity::Time, wild, 5.0, true);
            assert!(scale.maximum > 0.0 && scale.maximum.is_finite(), "{wild}");
            assert!(scale.ticks().len() <= 100, "{wild}");
        }
    }
}
