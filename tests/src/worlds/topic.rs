//! A partition of the partials topic: what the lanes of all source partitions sent to it, in one of many orders.

use proptest::prelude::*;
use stream_core::{Collector, Emission, EventTime, Loss, Message, Offset, Partial, Partition, Seal};

/// What a message holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// A part of a window's state.
    Partial(Partial),
    /// A seal that names only this output's windows.
    Seal(Seal),
    /// A take-over.
    Fence,
    /// A take-over from a log that has lost something.
    Loss(Loss),
    /// Something that is not for the collector.
    Other,
}

/// The messages of one partition of the partials topic, in order.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    /// Each with where it stands and who sent it.
    pub messages: Vec<(Message, Sent)>,
}

/// What happens next on the topic, told to one source partition (modulo their number).
#[derive(Clone, Copy, Debug)]
pub enum Turn {
    /// Its owner sends the next of its messages.
    Send(usize),
    /// Its owner sends, once more, what it sent this many messages ago.
    Again(usize, usize),
    /// A new owner takes over and begins this many messages back.
    TakeOver(usize, usize),
    /// Whoever owned it before the last take-over goes on sending, once.
    Zombie(usize),
    /// A message that is not for the collector takes up an offset.
    Other,
}

/// A source partition's messages to one output, and how far its owners have come.
struct Sender {
    messages: Vec<Sent>,
    next: usize,
    incarnation: u64,
    zombie: usize,
}

impl Topic {
    /// What `output` gets when each partition says what `said` lists for it; after the last turn everything is sent.
    pub fn play(said: &[Vec<Emission>], output: u32, turns: &[Turn]) -> Self {
        let sender = |items: &Vec<Emission>| {
            let messages = items.iter().filter_map(|item| to_output(item, output)).collect();
            Sender { messages, next: 0, incarnation: 1, zombie: 0 }
        };
        let mut senders: Vec<_> = said.iter().map(sender).collect();
        let mut topic = Self::default();
        for turn in turns {
            topic.turn(&mut senders, *turn);
        }
        for partition in 0..senders.len() {
            while senders[partition].next < senders[partition].messages.len() {
                topic.turn(&mut senders, Turn::Send(partition));
            }
        }
        topic
    }

    fn turn(&mut self, senders: &mut [Sender], turn: Turn) {
        let count = senders.len();
        match turn {
            Turn::Send(of) => {
                let sender = &mut senders[of % count];
                if let Some(message) = sender.messages.get(sender.next).cloned() {
                    sender.next += 1;
                    self.push(of % count, sender.incarnation, message);
                }
            }
            Turn::Again(of, back) => {
                let sender = &senders[of % count];
                let earlier = sender.next.checked_sub(back + 1).map(|index| sender.messages[index].clone());
                if let Some(message) = earlier {
                    self.push(of % count, sender.incarnation, message);
                }
            }
            Turn::TakeOver(of, back) => {
                let sender = &mut senders[of % count];
                sender.zombie = sender.next;
                sender.next = sender.next.saturating_sub(back);
                sender.incarnation += 1;
                self.push(of % count, sender.incarnation, Sent::Fence);
            }
            Turn::Zombie(of) => {
                let sender = &mut senders[of % count];
                if let Some(message) = sender.messages.get(sender.zombie).filter(|_| sender.incarnation > 1).cloned() {
                    sender.zombie += 1;
                    self.push(of % count, sender.incarnation - 1, message);
                }
            }
            Turn::Other => self.push(0, 0, Sent::Other),
        }
    }

    fn push(&mut self, partition: usize, incarnation: u64, sent: Sent) {
        let at = Offset(self.messages.len() as i64);
        self.messages.push((Message { at, partition: Partition(partition as i32), incarnation }, sent));
    }

    /// How far the owners of each of `partitions` have sealed in the first `count` messages.
    pub fn sealed(&self, count: usize, partitions: usize) -> Vec<EventTime> {
        let mut known = vec![(0, EventTime::NEVER); partitions];
        for (from, sent) in &self.messages[..count] {
            let (incarnation, sealed) = &mut known[from.partition.0 as usize];
            match sent {
                Sent::Fence => *incarnation = from.incarnation.max(*incarnation),
                Sent::Seal(seal) if from.incarnation >= *incarnation => *sealed = seal.until.max(*sealed),
                _ => {}
            }
        }
        known.into_iter().map(|(_, sealed)| sealed).collect()
    }
}

/// Gives the collector one message.
pub fn take_in(collector: &mut Collector, (from, sent): &(Message, Sent)) {
    match sent {
        Sent::Partial(partial) => collector.partial(*from, partial.clone()),
        Sent::Seal(seal) => collector.seal(*from, seal),
        Sent::Fence => collector.fence(*from),
        Sent::Loss(loss) => collector.lost(*from, loss),
        Sent::Other => collector.advance(Offset(from.at.0 + 1)),
    }
}

/// Turns in any order, most of them plain sends.
pub fn arb_turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        12 => (0..3_usize).prop_map(Turn::Send),
        2 => (0..3_usize, 0..6_usize).prop_map(|(of, back)| Turn::Again(of, back)),
        1 => (0..3_usize, 0..6_usize).prop_map(|(of, back)| Turn::TakeOver(of, back)),
        2 => (0..3_usize).prop_map(Turn::Zombie),
        1 => Just(Turn::Other),
    ];
    proptest::collection::vec(turn, 0..120)
}

/// What `output` gets of what a lane says.
pub fn to_output(item: &Emission, output: u32) -> Option<Sent> {
    match item {
        Emission::Partial(partial) => (partial.output == output).then(|| Sent::Partial(partial.clone())),
        Emission::Seal(seal) => {
            let closed = seal.closed.iter().copied().filter(|closed| closed.output == output).collect();
            Some(Sent::Seal(Seal { closed, ..seal.clone() }))
        }
        Emission::Report(_) => None,
    }
}
