//! The families of figures. Each knows its metrics' numbers on the board; `None`: not asked for (offline runs may leave spans out).

pub mod calls;
pub mod devices;
pub mod due;
pub mod orders;
pub mod response;
pub mod satisfied;
pub mod sos;

use yiping_city::OTHER;
use yiping_window::{Board, KeyId, Level};

#[derive(Debug)]
pub struct Metrics {
    pub calls: calls::Calls,
    pub orders: orders::Orders,
    pub due: due::DueOrders,
    pub satisfied: satisfied::Satisfied,
    pub sos: sos::Sos,
    pub response: response::Response,
    pub devices: devices::Devices,
}

impl Metrics {
    pub fn of(board: &Board) -> Self {
        Metrics {
            calls: calls::Calls::of(board),
            orders: orders::Orders::of(board),
            due: due::DueOrders::of(board),
            satisfied: satisfied::Satisfied::of(board),
            sos: sos::Sos::of(board),
            response: response::Response::of(board),
            devices: devices::Devices::of(board),
        }
    }
}

/// The keys that are there before any event.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    everywhere: KeyId,
    elsewhere: KeyId,
}

impl Places {
    pub fn of(board: &mut Board) -> Self {
        Places { everywhere: board.keys.intern("city"), elsewhere: board.keys.intern(OTHER) }
    }

    /// The city and a district; where none is known, 其他.
    fn district(self, district: Option<KeyId>) -> [(Level, KeyId); 2] {
        [(Level::City, self.everywhere), (Level::District, district.unwrap_or(self.elsewhere))]
    }

    /// The city, a district and a category.
    fn category(self, district: Option<KeyId>, category: KeyId) -> [(Level, KeyId); 3] {
        let [city, district] = self.district(district);
        [city, district, (Level::Category, category)]
    }
}
