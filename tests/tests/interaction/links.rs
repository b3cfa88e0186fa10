//! What goes wrong on the way.

use std::time::Duration;

use quic_sim::network::{Bursts, CoDel, Link, Marks as LinkMarks};

use super::operations::{Marks, Operation};
use super::world::World;

/// Does something to the links, if that is what is to be done.
pub(super) fn operate_on_links(world: &mut World, operation: Operation) {
    use Operation::{
        Burst, Corrupt, Cut, Delay, Duplicate, Heal, Lose, Manage, Mark, Narrow, Reorder, Shorten,
        Truncate,
    };
    match operation {
        Lose { upwards, percent } => world.change_links(upwards, |link| link.loss = part(percent)),
        Burst { upwards } => {
            let bursts = Some(Bursts { begin: 0.02, end: 0.1, loss: 0.9 });
            world.change_links(upwards, |link| link.bursts = bursts);
        }
        Duplicate { upwards, percent } => {
            world.change_links(upwards, |link| link.duplicate = part(percent));
        }
        Reorder { upwards, percent } => {
            world.change_links(upwards, |link| link.reorder = part(percent));
        }
        Corrupt { upwards, percent } => {
            world.change_links(upwards, |link| link.corrupt = part(percent));
        }
        Truncate { upwards, percent } => {
            world.cuts |= !upwards && percent > 0;
            world.change_links(upwards, |link| link.truncate = part(percent));
        }
        Delay { upwards, millis, jitter } => world.change_links(upwards, |link| {
            link.delay = Duration::from_millis(millis.into());
            link.jitter = Duration::from_millis(jitter.into());
        }),
        Narrow { upwards, kilobytes } => {
            world.change_links(upwards, |link| narrow(link, 1000 * u64::from(kilobytes)));
        }
        Manage { upwards, marks } => {
            let codel = Some(CoDel { marks, ..CoDel::default() });
            world.change_links(upwards, |link| link.codel = codel);
        }
        Shorten { upwards, beyond } => {
            world.change_links(upwards, |link| link.mtu = 1200 + usize::from(beyond));
        }
        Mark { upwards, marks } => world.change_links(upwards, |link| link.marks = what(marks)),
        Cut { upwards } => world.change_links(upwards, |link| link.cut = true),
        Heal => world.heal(),
        _ => {}
    }
}

fn part(percent: u8) -> f64 {
    f64::from(percent) / 100.0
}

/// So many bytes a second, and a queue of half a second.
fn narrow(link: &mut Link, rate: u64) {
    link.rate_bytes_per_second = Some(rate);
    link.queue_bytes = rate / 2;
}

fn what(marks: Marks) -> LinkMarks {
    let mut link = LinkMarks::default();
    match marks {
        Marks::Keep => {}
        Marks::Bleach => link.bleach = true,
        Marks::Congestion => link.congestion = 0.3,
        Marks::Drop => link.drop_marked = true,
    }
    link
}
