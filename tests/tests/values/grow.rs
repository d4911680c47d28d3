//! Random expressions of every kind.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::expression::{Expr, To};

pub const NUMBERS: &[&str] = &["i", "j", "l", "m", "d", "e", "x", "f"];
pub const TEXTS: &[&str] = &["s", "u"];
pub const TIMES: &[&str] = &["ms", "us", "day"];
const WRITTEN: &[&str] = &[
    "0",
    "1",
    "2",
    "7",
    "-1",
    "-3",
    "100",
    "0.0",
    "0.1",
    "1.5",
    "-2.5",
    "100.50",
    "1e3",
    "2.5e-3",
    "1e30",
    "1e300",
    "3.4e38",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "99999999999999999999999999999999999999",
    "0.00000000000000000001",
    "1234567890123456789012345678901234567890123",
];
const LITERALS: &[&str] = &["", "a", "b", "-", "12", "é", "abc", " "];
const CASTS: &[To] = &[
    To::Int,
    To::Long,
    To::Decimal(38, 0),
    To::Decimal(38, 10),
    To::Decimal(12, 2),
    To::Decimal(5, 5),
    To::Float,
    To::Double,
];
const INTERVALS: &[(&str, i64, i64, i128)] =
    &[("1 day", 0, 1, 0), ("1 month", 1, 0, 0), ("400 years", 4_800, 0, 0), ("2 months 3 days", 2, 3, 0)];
const CLOCKED: &[(&str, i64, i64, i128)] =
    &[("36 hours", 0, 0, 129_600_000_000_000), ("1 second", 0, 0, 1_000_000_000)];
pub const PARTS: &[&str] = &[
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "doy",
    "dow",
    "isodow",
    "hour",
    "minute",
    "second",
    "millisecond",
    "microsecond",
    "epoch",
];
pub const CUTS: &[&str] =
    &["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"];

/// Grows expressions, less and less deep.
pub struct Grower<'a>(pub &'a mut ChaCha8Rng);

impl Grower<'_> {
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(self.0).expect("there is one")
    }

    fn below(&mut self, count: u8) -> u8 {
        self.0.random_range(0..count)
    }

    fn boxed(&mut self, grow: fn(&mut Self, u8) -> Expr, depth: u8) -> Box<Expr> {
        Box::new(grow(self, depth))
    }

    fn some(&mut self, grow: fn(&mut Self, u8) -> Expr, depth: u8, least: u8, most: u8) -> Vec<Expr> {
        (0..self.0.random_range(least..=most)).map(|_| grow(self, depth)).collect()
    }

    /// An expression of any kind.
    pub fn any(&mut self, depth: u8) -> Expr {
        match self.below(8) {
            0..4 => self.number(depth),
            4 | 5 => self.condition(depth),
            6 => self.text(depth),
            _ => self.time(depth),
        }
    }

    fn choice(&mut self, grow: fn(&mut Self, u8) -> Expr, depth: u8) -> Expr {
        match self.below(6) {
            0 => Expr::Call("coalesce", self.some(grow, depth, 1, 3)),
            1 => Expr::Call("nvl", self.some(grow, depth, 2, 2)),
            2 => {
                // What a number takes from the second is its own matter.
                let mut args = self.some(grow, depth, 2, 2);
                if matches!(args[0], Expr::Number(_)) {
                    args[0] = Expr::Field("x");
                }
                Expr::Call("nullif", args)
            }
            3 => {
                let name = self.pick(&["least", "greatest"]);
                Expr::Call(name, self.some(grow, depth, 1, 3))
            }
            4 => {
                let branches =
                    (0..self.0.random_range(1..3)).map(|_| (self.condition(depth), grow(self, depth))).collect();
                let otherwise = (self.below(2) == 0).then(|| self.boxed(grow, depth));
                Expr::Case(None, branches, otherwise)
            }
            _ => {
                let of = self.kind();
                let operand = self.boxed(of, depth);
                let branches = (0..self.0.random_range(1..3)).map(|_| (of(self, depth), grow(self, depth))).collect();
                Expr::Case(Some(operand), branches, Some(self.boxed(grow, depth)))
            }
        }
    }

    fn kind(&mut self) -> fn(&mut Self, u8) -> Expr {
        self.pick(&[Self::number, Self::number, Self::text, Self::time])
    }

    pub fn number(&mut self, depth: u8) -> Expr {
        let Some(less) = depth.checked_sub(1) else {
            return if self.below(3) == 0 { Expr::Number(self.pick(WRITTEN)) } else { Expr::Field(self.pick(NUMBERS)) };
        };
        match self.below(16) {
            0..6 => {
                let op = self.pick(&["+", "-", "*", "/", "%"]);
                Expr::Binary(op, self.boxed(Self::number, less), self.boxed(Self::number, less))
            }
            6 => Expr::Prefix("-", Box::new(Expr::Field(self.pick(NUMBERS)))),
            7 => {
                let name = self.pick(&["abs", "signum", "round", "trunc", "ceil", "floor"]);
                Expr::Call(name, vec![self.number(less)])
            }
            8 => {
                let digits = if self.below(2) == 0 {
                    Expr::Field("i")
                } else {
                    Expr::Number(self.pick(&["0", "1", "2", "-2", "40"]))
                };
                let name = self.pick(&["round", "trunc"]);
                Expr::Call(name, vec![self.number(less), digits])
            }
            9 => Expr::Cast(self.boxed(Self::number, less), self.pick(CASTS)),
            10 => {
                let of = self.pick(&[Self::text, Self::condition]);
                Expr::Cast(self.boxed(of, less), self.pick(CASTS))
            }
            11 => {
                let name = self.pick(&["char_length", "octet_length"]);
                Expr::Call(name, vec![self.text(less)])
            }
            12 => Expr::Call("strpos", vec![self.text(less), self.text(0)]),
            13 => match self.below(3) {
                0 => Expr::Cast(self.boxed(Self::time, less), self.pick(&[To::Int, To::Long])),
                1 => Expr::Elapsed(self.boxed(Self::time, less), self.boxed(Self::time, less)),
                _ => Expr::Call("date_part", vec![Expr::Text(self.pick(PARTS)), self.time(less)]),
            },
            _ => self.choice(Self::number, less),
        }
    }

    fn condition(&mut self, depth: u8) -> Expr {
        let Some(less) = depth.checked_sub(1) else { return Expr::Field("ok") };
        let of = self.kind();
        match self.below(12) {
            0..4 => {
                let op = self.pick(&["=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"]);
                Expr::Binary(op, self.boxed(of, less), self.boxed(of, less))
            }
            4 => Expr::Between(self.below(2) == 0, Box::new([of(self, less), of(self, less), of(self, less)])),
            5 => Expr::In(self.below(2) == 0, self.boxed(of, less), self.some(of, less, 1, 6)),
            6 => {
                let op = self.pick(&["and", "or"]);
                Expr::Binary(op, self.boxed(Self::condition, less), self.boxed(Self::condition, less))
            }
            7 => Expr::Prefix("not", self.boxed(Self::condition, less)),
            8 => {
                let op = self.pick(&[" is null", " is not null"]);
                Expr::Suffix(op, self.boxed(of, less))
            }
            9 => {
                let op = self.pick(&[" is true", " is not true", " is false", " is not false"]);
                Expr::Suffix(op, self.boxed(Self::condition, less))
            }
            10 => match self.below(3) {
                0 => Expr::Like(
                    self.below(2) == 0,
                    self.boxed(Self::text, less),
                    self.pick(&["a%", "%b", "%-%", "_", "%", "a_c"]),
                ),
                1 => Expr::Cast(self.boxed(Self::text, less), To::Boolean),
                _ => Expr::Cast(self.boxed(Self::number, less), To::Boolean),
            },
            _ => {
                let name = self.pick(&["contains", "starts_with", "ends_with"]);
                Expr::Call(name, vec![self.text(less), self.text(0)])
            }
        }
    }

    fn text(&mut self, depth: u8) -> Expr {
        let Some(less) = depth.checked_sub(1) else {
            return if self.below(3) == 0 { Expr::Text(self.pick(LITERALS)) } else { Expr::Field(self.pick(TEXTS)) };
        };
        let position = |grower: &mut Self| Expr::Field(grower.pick(&["i", "l", "j"]));
        match self.below(12) {
            0 => {
                let name = self.pick(&["lower", "upper", "reverse", "btrim", "ltrim", "rtrim"]);
                Expr::Call(name, vec![self.text(less)])
            }
            1 => {
                let name = self.pick(&["left", "right", "substr"]);
                Expr::Call(name, vec![self.text(less), position(self)])
            }
            2 => Expr::Call("substr", vec![self.text(less), position(self), position(self)]),
            3 => Expr::Call("replace", vec![self.text(less), self.text(0), self.text(0)]),
            4 => Expr::Call(
                "split_part",
                vec![self.text(less), self.text(0), Expr::Number(self.pick(&["1", "2", "-1", "-2", "9"]))],
            ),
            5 => Expr::Call("concat", self.some(Self::text, less, 1, 3)),
            6 => Expr::Call("concat_ws", self.some(Self::text, less, 2, 4)),
            7 => Expr::Binary("||", self.boxed(Self::text, less), self.boxed(Self::text, less)),
            8 | 9 => {
                let of = self.pick(&[Self::number, Self::condition, Self::time]);
                Expr::Cast(self.boxed(of, less), To::Text)
            }
            _ => self.choice(Self::text, less),
        }
    }

    fn time(&mut self, depth: u8) -> Expr {
        let Some(less) = depth.checked_sub(1) else { return Expr::Field(self.pick(TIMES)) };
        match self.below(8) {
            0 | 1 => Expr::Shift(self.below(2) == 0, self.boxed(Self::time, less), self.pick(INTERVALS)),
            2 => Expr::Shift(self.below(2) == 0, Box::new(Expr::Field(self.pick(&["ms", "us"]))), self.pick(CLOCKED)),
            3 => Expr::Call("date_trunc", vec![Expr::Text(self.pick(CUTS)), self.time(less)]),
            4 => {
                let whole = Expr::Field(self.pick(&["i", "l", "m"]));
                Expr::Cast(Box::new(whole), self.pick(&[To::Date, To::Timestamp]))
            }
            5 => Expr::Cast(self.boxed(Self::time, less), self.pick(&[To::Date, To::Timestamp])),
            6 => Expr::Cast(Box::new(Expr::Field(self.pick(TEXTS))), self.pick(&[To::Date, To::Timestamp])),
            _ => self.choice(Self::time, less),
        }
    }
}
