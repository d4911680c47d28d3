//! When a window is published, and with which rows.

use super::teller::{Log, window};
use crate::model::{AggState, ArgState, Row, publish};

#[test]
fn publish_waits_for_the_slowest_partition_and_merges() {
    let quick = Log::new().event("a", 3).value(Some(-7)).event("b", 4).group(None).event("c", 40).read();
    let slow = Log::new().event("d", 5).value(None).event("e", 14);
    assert!(publish(&[quick.clone(), slow.read()]).is_empty(), "watermark 9 on the slow one");
    assert!(publish(&[quick.clone(), Log::new().read()]).is_empty(), "an empty partition has sealed nothing");

    let published = publish(&[quick, slow.event("f", 15).read()]);
    let arg = |count, sum, min, max| ArgState { count, sum, min, max };
    let null_group = AggState { records: 1, args: vec![arg(1, 1, Some(1), Some(1))] };
    let eu = AggState { records: 2, args: vec![arg(1, -7, Some(-7), Some(-7))] };
    let expected =
        [Row { group: vec![None], state: null_group }, Row { group: vec![Some("eu".to_owned())], state: eu }];
    assert_eq!(published.keys().copied().collect::<Vec<_>>(), [window(0)]);
    assert_eq!(published[&window(0)], expected);
}
