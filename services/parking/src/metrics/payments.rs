//! `parking.payment_share`, `parking.payment_amount_share`, `parking.seamless_ratio` and `parking.payment_failure_ratio`.
//!
//! Payments count as they come: a session may pay in parts, and a failed attempt is one. `waived` is no payment and no attempt, so it
//! has no share either; the seven others have a row each as soon as anything was paid.

use yiping_event::{
    TimeMs,
    parking::{Channel, Payment, PaymentResult},
};
use yiping_window::{Board, Context, KeyId, Level, MetricId};

use crate::entity::session::Place;

const CHANNELS: [Channel; 7] = [
    Channel::Wechat,
    Channel::Alipay,
    Channel::App,
    Channel::Unionpay,
    Channel::CcbSeamless,
    Channel::Etc,
    Channel::Cash,
];

#[derive(Clone, Copy, Debug)]
pub struct Payments {
    share: Option<MetricId>,
    amount_share: Option<MetricId>,
    seamless_ratio: Option<MetricId>,
    failure_ratio: Option<MetricId>,
    channels: [KeyId; 7],
}

impl Payments {
    pub fn of(board: &mut Board) -> Self {
        Payments {
            share: board.metric("parking.payment_share"),
            amount_share: board.metric("parking.payment_amount_share"),
            seamless_ratio: board.metric("parking.seamless_ratio"),
            failure_ratio: board.metric("parking.payment_failure_ratio"),
            channels: CHANNELS.map(|channel| board.keys.intern(channel.as_str())),
        }
    }

    pub fn count(&self, place: &Place, payment: &Payment<'_>, time: TimeMs, context: &mut Context<'_>) {
        let Some(at) = CHANNELS.iter().position(|channel| *channel == payment.channel) else { return };
        let (keys, failed) = (place.keys(), payment.result == PaymentResult::Failed);
        if let Some(metric) = self.failure_ratio {
            context.add(metric, &keys, time, i64::from(failed), 1, 1);
            context.add(metric, &[(Level::Channel, self.channels[at])], time, i64::from(failed), 1, 1);
        }
        if failed {
            return;
        }
        for (other, channel) in self.channels.into_iter().enumerate() {
            let (key, of_it) = ([(Level::Channel, channel)], i64::from(other == at));
            if let Some(metric) = self.share {
                context.add(metric, &key, time, of_it, 1, 1);
            }
            // a ratio's n is its denominator: nothing is said where 0 fen were paid
            if let Some(metric) = self.amount_share.filter(|_| payment.amount_fen != 0) {
                context.add(metric, &key, time, of_it * payment.amount_fen, payment.amount_fen, 0);
            }
        }
        if let Some(metric) = self.seamless_ratio {
            let seamless = matches!(payment.channel, Channel::Etc | Channel::CcbSeamless);
            context.add(metric, &keys, time, i64::from(seamless), 1, 1);
        }
    }
}
