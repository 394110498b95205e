//! The families of figures, a file each; each knows the numbers by which the board knows its metrics (`None`: not asked for, offline
//! runs may leave spans out).

pub mod dispatch;
pub mod dwell;
pub mod fix_age;
pub mod headway;
pub mod load;
pub mod on_time;
pub mod online;
pub mod speed;

use yiping_window::Board;

#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    pub online: online::Online,
    pub speed: speed::Speed,
    pub fix_age: fix_age::FixAge,
    pub load: load::Load,
    pub on_time: on_time::OnTime,
    pub headway: headway::Headways,
    pub dwell: dwell::Dwell,
    pub dispatch: dispatch::Dispatch,
}

impl Metrics {
    pub fn of(board: &Board) -> Self {
        Metrics {
            online: online::Online::of(board),
            speed: speed::Speed::of(board),
            fix_age: fix_age::FixAge::of(board),
            load: load::Load::of(board),
            on_time: on_time::OnTime::of(board),
            headway: headway::Headways::of(board),
            dwell: dwell::Dwell::of(board),
            dispatch: dispatch::Dispatch::of(board),
        }
    }
}
