//! `hotline.orders`: work orders created. `hotline.direct_ratio` (直接答复率): those answered on the phone / created.

use yiping_window::{Board, Level, MetricId};

use crate::{
    entity::order::{Created, Levels},
    ledger::Ledger,
};

#[derive(Clone, Copy, Debug)]
pub struct Orders {
    orders: Option<MetricId>,
    direct_ratio: Option<MetricId>,
}

impl Orders {
    pub fn of(board: &Board) -> Self {
        Orders { orders: board.metric("hotline.orders"), direct_ratio: board.metric("hotline.direct_ratio") }
    }

    pub fn count(&self, created: &Created, levels: Levels, ledger: &mut Ledger) {
        let time = created.order.time;
        ledger.flow(self.orders, levels, time, [1, 0, 1]);
        ledger.flow_at(self.orders, Level::DistrictCategory, created.both, time, [1, 0, 1]);
        let no_agency = Levels { agency: None, ..levels };
        ledger.flow(self.direct_ratio, no_agency, time, [i64::from(created.direct), 1, 1]);
    }
}
