//! The kinds of members that data is made of: what each accepts, in words and in code.
//!
//! A member is read and judged in one step, so that a refusal knows its place. Texts are borrowed from the record
//! where they hold no escapes; serde's own `Option<Cow<str>>` would copy each.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Visitor};

/// One kind of member.
pub(crate) trait Kind<'de> {
    type Out;
    fn read<D: Deserializer<'de>>(from: D) -> Result<Self::Out, D::Error>;
}

/// `deserialize_with` for a required member.
pub(crate) fn must<'de, K: Kind<'de>, D: Deserializer<'de>>(from: D) -> Result<K::Out, D::Error> {
    K::read(from)
}

/// `deserialize_with` for an optional member (with `default`): `null` is absent.
pub(crate) fn may<'de, K: Kind<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<K::Out>, D::Error> {
    struct Maybe<K>(PhantomData<K>);
    impl<'de, K: Kind<'de>> Visitor<'de> for Maybe<K> {
        type Value = Option<K::Out>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value or null")
        }

        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
            K::read(from).map(Some)
        }
    }
    from.deserialize_option(Maybe::<K>(PhantomData))
}

/// A text of 1 to `MAX` characters without control characters.
pub(crate) struct Text<const MAX: usize>;

/// Ids of entities, and names of districts, categories, streets, agencies.
pub(crate) type Name = Text<64>;

impl<'de, const MAX: usize> Kind<'de> for Text<MAX> {
    type Out = Cow<'de, str>;

    fn read<D: Deserializer<'de>>(from: D) -> Result<Self::Out, D::Error> {
        text(from, MAX, "control characters", char::is_control)
    }
}

/// The envelope's `source`, and the same in `source_name`: an URI reference of 1 to 128 characters. Not taken apart:
/// no control characters and no blanks; Chinese is let through as in an IRI.
pub(crate) struct SourceRef;

impl<'de> Kind<'de> for SourceRef {
    type Out = Cow<'de, str>;

    fn read<D: Deserializer<'de>>(from: D) -> Result<Self::Out, D::Error> {
        text(from, 128, "blanks or control characters", |c| c == ' ' || c.is_control())
    }
}

/// Free text of up to 1,000,000 characters, also with line ends: only for settings.
pub(crate) struct LongText;

impl<'de> Kind<'de> for LongText {
    type Out = Cow<'de, str>;

    fn read<D: Deserializer<'de>>(from: D) -> Result<Self::Out, D::Error> {
        text(from, 1_000_000, "nothing", |_| false)
    }
}

fn text<'de, D: Deserializer<'de>>(
    from: D,
    max: usize,
    without: &'static str,
    bad: fn(char) -> bool,
) -> Result<Cow<'de, str>, D::Error> {
    struct Read {
        max: usize,
        without: &'static str,
        bad: fn(char) -> bool,
    }
    impl Read {
        fn judge<E: Error>(&self, text: &str) -> Result<(), E> {
            // bytes bound characters from above, so that the usual short text is not counted
            // visible ASCII, that is nearly every text, needs no look at its characters
            if text.bytes().all(|byte| (0x21..0x7f).contains(&byte)) && (1..=self.max).contains(&text.len()) {
                return Ok(());
            }
            let fits = !text.is_empty() && (text.len() <= self.max || text.chars().count() <= self.max);
            if fits && !text.chars().any(self.bad) {
                Ok(())
            } else {
                Err(E::custom(format_args!("expected {}", Expected(self))))
            }
        }
    }
    struct Expected<'a>(&'a Read);
    impl fmt::Display for Expected<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.expecting(f)
        }
    }
    impl<'de> Visitor<'de> for Read {
        type Value = Cow<'de, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a text of 1 to {} characters without {}", self.max, self.without)
        }

        fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
            self.judge(text)?;
            Ok(Cow::Borrowed(text))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            self.judge(text)?;
            Ok(Cow::Owned(text.to_owned()))
        }
    }
    from.deserialize_str(Read { max, without, bad })
}

/// A number from `MIN` to `MAX`, both included; may be fractional.
pub(crate) struct Number<const MIN: i64, const MAX: i64>;

/// A length of time in seconds, up to a day.
pub(crate) type Seconds = Number<0, 86_400>;
/// Degrees east.
pub(crate) type Lon = Number<-180, 180>;
/// Degrees north.
pub(crate) type Lat = Number<-90, 90>;

impl<'de, const MIN: i64, const MAX: i64> Kind<'de> for Number<MIN, MAX> {
    type Out = f64;

    fn read<D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        struct Read<const MIN: i64, const MAX: i64>;
        #[expect(
            clippy::cast_precision_loss,
            reason = "limits are far below 2^53; a larger input is refused either way"
        )]
        impl<const MIN: i64, const MAX: i64> Visitor<'_> for Read<MIN, MAX> {
            type Value = f64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a number from {MIN} to {MAX}")
            }

            fn visit_f64<E: Error>(self, n: f64) -> Result<f64, E> {
                if (MIN as f64..=MAX as f64).contains(&n) {
                    Ok(n)
                } else {
                    Err(E::custom(format_args!("expected a number from {MIN} to {MAX}")))
                }
            }

            fn visit_u64<E: Error>(self, n: u64) -> Result<f64, E> {
                self.visit_f64(n as f64)
            }

            fn visit_i64<E: Error>(self, n: i64) -> Result<f64, E> {
                self.visit_f64(n as f64)
            }
        }
        from.deserialize_f64(Read::<MIN, MAX>)
    }
}

/// An integer from `MIN` to `MAX`, both included; `3.0` is one, as in JSON Schema.
pub(crate) struct Integer<T, const MIN: i64, const MAX: i64>(PhantomData<T>);

/// People in or at a vehicle.
pub(crate) type People = Integer<u32, 0, 1_000>;
/// Money, in 0.01 yuan.
pub(crate) type Fen = Integer<i64, 0, 1_000_000_000_000>;
/// 0 or 1: the two ways of a route.
pub(crate) type Direction = Integer<u8, 0, 1>;

impl<'de, T: TryFrom<i64>, const MIN: i64, const MAX: i64> Kind<'de> for Integer<T, MIN, MAX> {
    type Out = T;

    fn read<D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        struct Read<T, const MIN: i64, const MAX: i64>(PhantomData<T>);
        impl<T: TryFrom<i64>, const MIN: i64, const MAX: i64> Visitor<'_> for Read<T, MIN, MAX> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an integer from {MIN} to {MAX}")
            }

            fn visit_i64<E: Error>(self, n: i64) -> Result<T, E> {
                let fits = (MIN..=MAX).contains(&n).then(|| T::try_from(n).ok()).flatten();
                fits.ok_or_else(|| E::custom(format_args!("expected an integer from {MIN} to {MAX}")))
            }

            fn visit_u64<E: Error>(self, n: u64) -> Result<T, E> {
                self.visit_i64(i64::try_from(n).unwrap_or(i64::MAX))
            }

            #[expect(
                clippy::cast_possible_truncation,
                reason = "`as` saturates, and the ends of i64 are beyond every limit"
            )]
            fn visit_f64<E: Error>(self, n: f64) -> Result<T, E> {
                self.visit_i64(if n.fract() == 0.0 { n as i64 } else { i64::MAX })
            }
        }
        from.deserialize_i64(Read::<T, MIN, MAX>(PhantomData))
    }
}
