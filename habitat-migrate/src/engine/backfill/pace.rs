//! How fast a backfill goes: the size of its batches, the pauses between them, and when its end is reached.

use std::time::Duration;

use habitat_migrate_catalog::Throttle;

use crate::tracker::Bound;

/// How many rows the next batch has.
#[derive(Debug)]
pub(super) struct Pace {
    most: u64,
    size: u64,
}

impl Pace {
    /// Begins with small batches, since nobody knows yet what a row costs.
    pub(super) fn new(most: u32) -> Self {
        let most = u64::from(most);
        Self { most, size: FIRST.min(most) }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The sizes among which the next batch is chosen, largest first: by then it is known how long the one before took.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let largest = (self.size * GROWTH).min(self.most);
        std::iter::successors(Some(largest), |size| Some(size / 2)).take_while(|size| *size > 0).collect()
    }

    /// The largest of these steps that is not larger than a batch is to be; the smallest where all are.
    pub(super) fn pick(&self, bounds: &[Bound]) -> Option<Bound> {
        let fitting = bounds.iter().filter(|bound| bound.rows <= self.size).max_by_key(|bound| bound.rows);
        fitting.or_else(|| bounds.iter().min_by_key(|bound| bound.rows)).cloned()
    }

    /// Takes note of how long a batch of so many rows took.
    pub(super) fn adapt(&mut self, rows: u64, took: Duration) {
        let fitting = u128::from(rows) * TARGET.as_micros() / took.as_micros().max(1);
        let fitting = u64::try_from(fitting).unwrap_or(self.most);
        self.size = match took > TARGET {
            true => fitting.min(self.size),
            // A batch at the end of the table is small, which says nothing about those that are not.
            false => fitting.clamp(self.size, self.size * GROWTH),
        };
        self.size = self.size.clamp(1, self.most);
    }

    /// Goes on with smaller batches: the last one met somebody's lock, or took too long.
    pub(super) fn back_off(&mut self) {
        self.size = (self.size / 4).max(1);
    }
}

/// How long to pause behind a batch.
pub(super) fn pause(throttle: Throttle, took: Duration) -> Duration {
    match throttle {
        Throttle::Pause(pause) => pause,
        Throttle::Duty(percent) => took * (100 - percent.min(100)) / percent.max(1),
        _ => Duration::ZERO,
    }
}

/// Tells when to stop going after rows that are inserted behind the end, which a busy table would make go on for ever.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// How many rows there were ahead when the end of the table came in sight.
    left: Option<u64>,
    rounds: u32,
}

impl Tail {
    /// Takes note of how many rows were found of those asked for.
    pub(super) fn found(&mut self, rows: u64, asked: u64) {
        if rows >= asked {
            *self = Self::default();
        } else if self.left.is_none() {
            self.left = Some(rows);
        }
    }

    /// Takes note of a batch of so many rows.
    pub(super) fn passed(&mut self, rows: u64) {
        match self.left {
            Some(left) if left > rows => self.left = Some(left - rows),
            Some(_) => *self = Self { left: None, rounds: self.rounds + 1 },
            None => {}
        }
    }

    /// Whether what is ahead now came while its end was reached again and again.
    pub(super) fn is_over(&self) -> bool {
        self.rounds > ROUNDS
    }
}

const FIRST: u64 = 128;
const GROWTH: u64 = 2;
/// How long a batch is to take: writers wait for a row of it for as long.
const TARGET: Duration = Duration::from_millis(80);
/// How often the end is reached before it counts.
const ROUNDS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn bounds(rows: &[u64]) -> Vec<Bound> {
        rows.iter().map(|rows| Bound { rows: *rows, key: vec![rows.to_string()] }).collect()
    }

    #[test]
    fn batches_grow_to_the_declared_size_while_they_are_quick() {
        let mut pace = Pace::new(1_000);
        let mut sizes = vec![pace.size()];
        for _ in 0..4 {
            pace.adapt(pace.size(), MS);
            sizes.push(pace.size());
        }
        assert_eq!(sizes, [128, 256, 512, 1_000, 1_000]);
    }

    #[test]
    fn a_slow_batch_is_followed_by_smaller_ones_down_to_one_row() {
        let mut pace = Pace::new(128);
        pace.adapt(128, 160 * MS);
        assert_eq!(pace.size(), 64);
        pace.adapt(64, 64_000 * MS);
        assert_eq!(pace.size(), 1);
        assert_eq!(pace.sizes(), [2, 1]);
        pace.back_off();
        assert_eq!(pace.size(), 1);
    }

    #[test]
    fn the_largest_step_is_picked_that_fits() {
        let mut pace = Pace::new(1_000);
        assert_eq!(pace.sizes(), [256, 128, 64, 32, 16, 8, 4, 2, 1]);
        assert_eq!(pace.pick(&bounds(&[64, 128, 256])).unwrap().rows, 128);
        assert_eq!(pace.pick(&bounds(&[1, 3])).unwrap().rows, 3);
        assert_eq!(pace.pick(&[]), None);
        pace.adapt(128, 480 * MS);
        assert_eq!(pace.pick(&bounds(&[8, 16, 32, 64])).unwrap().rows, 16);
    }

    #[test]
    fn a_duty_is_a_share_of_the_time() {
        assert_eq!(pause(Throttle::Duty(25), 100 * MS), 300 * MS);
        assert_eq!(pause(Throttle::Duty(100), 100 * MS), Duration::ZERO);
        assert_eq!(pause(Throttle::Pause(7 * MS), 100 * MS), 7 * MS);
    }

    #[test]
    fn a_table_that_grows_for_ever_has_an_end() {
        let mut tail = Tail::default();
        let mut batches = 0;
        while !tail.is_over() {
            tail.found(5, 256);
            tail.passed(5);
            batches += 1;
            assert!(batches < 100);
        }
        // The end is not in sight as long as all rows are found that were asked for.
        let mut tail = Tail::default();
        for _ in 0..100 {
            tail.found(256, 256);
            tail.passed(128);
        }
        assert!(!tail.is_over());
        // One row after the other up to an end that was in sight all along.
        tail.found(100, 256);
        for left in (0..100).rev() {
            assert!(!tail.is_over());
            tail.passed(1);
            tail.found(left, 256);
        }
        assert!(!tail.is_over());
    }
}
