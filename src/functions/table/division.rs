//! Into which parts a function divides its period, and the SQL that finds an operation's part.

use super::blocks::Blocks;
use super::parameters::{Arguments, Named};
use super::windows::Windows;
use crate::calendar::{Buckets, Width, BUCKETS_MAX, DAY_US, HOUR_US};
use crate::rollup::{Known, Level, Plan};
use crate::store::Parameter as Bound;

/// How a function divides its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Division {
    /// Not at all.
    Whole,
    /// Into buckets of the calendar.
    Buckets,
    /// Into hours of the calendar, which are told apart by weekday and hour.
    Hours,
    /// Into windows that all end with it.
    Windows,
    /// Into blocks, and so the period before it.
    Blocks,
}

/// A period that is divided, for one answer.
pub enum Cut {
    Whole,
    Buckets(Buckets),
    /// Each with its hour of the week, 0 to 167.
    Hours(Buckets, Vec<i64>),
    Windows(Windows),
    Blocks(Blocks),
}

impl Cut {
    /// Divides the period of a question that is asked now. The arguments come to have the whole range that is read.
    pub fn of(division: Division, arguments: &mut Arguments, now_us: i64) -> Result<Self, String> {
        if division != Division::Whole {
            // Parts end somewhere, and so do the operations that they count.
            arguments.range.until_us.get_or_insert(now_us);
        }
        Ok(match division {
            Division::Whole => Self::Whole,
            Division::Buckets => Self::Buckets(arguments.buckets(now_us)?),
            Division::Hours => {
                arguments.bucket = Some(Width::PartOfDay(HOUR_US));
                let (since_us, _) = arguments.range.bounds(now_us)?;
                since_us.ok_or("since is -infinity: give a time, so that there is a first hour")?;
                let buckets = arguments.buckets(now_us).map_err(|error| {
                    match error.starts_with("bucket") {
                        true => format!(
                            "the period has more than {BUCKETS_MAX} hours: give a shorter one"
                        ),
                        false => error,
                    }
                })?;
                let zone = arguments.timezone.as_ref().unwrap_or(&arguments.range.zone);
                // 1 January 1970 was a Thursday.
                let hour = |start_us: &i64| {
                    (zone.local_us(*start_us).div_euclid(HOUR_US) + 3 * 24).rem_euclid(7 * 24)
                };
                let hours = buckets.starts_us.iter().map(hour).collect();
                Self::Hours(buckets, hours)
            }
            Division::Windows => Self::Windows(Windows::of(arguments, now_us)?),
            Division::Blocks => Self::Blocks(Blocks::of(arguments, now_us)?),
        })
    }

    /// The shortest buckets of the calendar, where it is these.
    pub fn gap_us(&self) -> Option<i64> {
        match self {
            Self::Buckets(buckets) => Some(buckets.gap_us),
            _ => None,
        }
    }

    /// The times that no period of rollups may have on both sides.
    pub fn edges_us(&self) -> Vec<i64> {
        match self {
            Self::Windows(windows) => windows.starts_us.clone(),
            Self::Blocks(blocks) => blocks.starts_us(),
            _ => Vec::new(),
        }
    }

    /// The longest periods of rollups that are within a part.
    pub fn widest(&self) -> Level {
        match self {
            Self::Whole | Self::Windows(_) | Self::Blocks(_) => Level::SixtyFourDays,
            Self::Hours(..) => Level::Hour,
            Self::Buckets(buckets) => {
                let mut edges = buckets.starts_us.iter().chain([&buckets.end_us]);
                match edges.all(|us| us % DAY_US == 0) {
                    true => Level::Day,
                    false => Level::Hour,
                }
            }
        }
    }

    /// Whether parts are so short that only rows know them.
    pub fn needs_rows(&self) -> bool {
        match self {
            Self::Whole | Self::Windows(_) => false,
            Self::Buckets(buckets) => buckets.gap_us < HOUR_US,
            Self::Hours(..) => false,
            Self::Blocks(blocks) => blocks.shortest_us() < HOUR_US,
        }
    }

    /// Makes parts no shorter than what is known of them, and has windows end with the period as it is in fact.
    pub fn fit(&mut self, known: &Known, plan: &Plan) {
        match (self, plan.since_us, plan.until_us) {
            (Self::Windows(windows), Some(since_us), Some(until_us)) => {
                *windows = Windows::between(since_us, until_us);
            }
            (Self::Blocks(blocks), ..) => blocks.widen(known),
            _ => {}
        }
    }

    /// Takes over where the period is divided in fact.
    pub fn divided_at(&mut self, edges_us: &[i64]) {
        match self {
            Self::Windows(windows) => windows.divided_at(edges_us),
            Self::Blocks(blocks) => blocks.divided_at(edges_us),
            _ => {}
        }
    }

    /// The part of a time in microseconds, given as SQL, and what has to be joined for it. None where there are no parts.
    pub fn part(&self, time: &str) -> Option<(String, String)> {
        match self {
            Self::Whole => None,
            Self::Buckets(buckets) | Self::Hours(buckets, _) => {
                Some(bucket_of(time, buckets.are_alike()))
            }
            Self::Windows(windows) => Some((windows.part(time), String::new())),
            Self::Blocks(blocks) => Some((blocks.part(time), String::new())),
        }
    }

    /// The values that the SQL uses.
    pub fn parameters(&self) -> Named {
        let of_buckets = |buckets: &Buckets| {
            vec![
                ("from_us", Bound::Integer(buckets.starts_us[0])),
                ("until_us", Bound::Integer(buckets.end_us)),
                ("gap_us", Bound::Integer(buckets.gap_us)),
                ("starts_us", Bound::Text(format!("{:?}", buckets.starts_us))),
            ]
        };
        match self {
            Self::Whole | Self::Blocks(_) => Vec::new(),
            Self::Buckets(buckets) => of_buckets(buckets),
            Self::Hours(buckets, hours) => {
                let mut parameters = of_buckets(buckets);
                parameters.push(("hours_of_week", Bound::Text(format!("{hours:?}"))));
                parameters
            }
            Self::Windows(windows) => windows.parameters(),
        }
    }
}

/// The bucket of a time in microseconds, and what has to be joined for it.
fn bucket_of(time: &str, are_alike: bool) -> (String, String) {
    let time = format!("greatest({time}, $from_us::BIGINT)");
    if are_alike {
        let bucket = format!(
            "$from_us::BIGINT + ({time} - $from_us::BIGINT) // $gap_us::BIGINT * $gap_us::BIGINT"
        );
        return (bucket, String::new());
    }
    (
        format!("CASE WHEN {time} < end_us THEN start_us ELSE end_us END"),
        format!("\n    JOIN cell ON number = ({time} - $from_us::BIGINT) // $gap_us::BIGINT"),
    )
}
