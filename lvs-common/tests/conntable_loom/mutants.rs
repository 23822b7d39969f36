//! Each rule of the protocol is needed: without it a model fails, and for this reason.

use crate::{lens::Fault, models};

#[test]
#[should_panic(expected = "it stands twice")]
fn without_a_second_look_a_connection_stands_twice() {
    models::insert_insert_read(Some(Fault::NoSecondLook));
}

#[test]
#[should_panic(expected = "it stands twice")]
fn without_killing_a_connection_stands_twice() {
    models::insert_insert_end(Some(Fault::NoKill));
}

#[test]
#[should_panic(expected = "it stands twice")]
fn without_full_barriers_a_connection_stands_twice() {
    models::insert_insert_end(Some(Fault::NoBarrier));
}

#[test]
#[should_panic(expected = "another's real server")]
fn without_looking_again_a_reader_gets_anothers_real_server() {
    models::find_evict(Some(Fault::NoRecheck));
}

#[test]
#[should_panic(expected = "half of one and half of another")]
fn without_looking_again_a_reader_gets_anothers_peer() {
    models::read_evict(Some(Fault::NoRecheck));
}

#[test]
#[should_panic(expected = "an established connection was given up")]
fn with_a_stored_state_an_established_connection_is_given_up() {
    models::establish_evict(Some(Fault::PlainState));
}
