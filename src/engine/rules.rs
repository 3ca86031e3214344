//! How operations are counted, by the settings.

use crate::metrics::Rules;
use crate::settings::Settings;

pub(super) fn rules(settings: &Settings) -> Rules {
    Rules {
        max_series: settings.max_series(),
        slow_us: settings.slow_threshold_us(),
    }
}
