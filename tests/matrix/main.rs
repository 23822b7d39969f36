//! The matrix: every forwarding method, family, protocol and situation, proved by frames through the loaded program
//! that are compared to the byte with what somebody else writes, and by traffic of real sockets. Needs root.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the matrix is printed")]

mod axes;
mod expected;
mod frames;
mod lab;
mod traffic;

use std::{env, process::ExitCode, sync::Mutex, thread, time::Instant};

use axes::{Family, Matrix, Method};

/// Labs at a time.
const AT_ONCE: usize = 3;

/// The argument that asks for no more than the frames.
const ONLY_FRAMES: &str = "--frames";

fn main() -> ExitCode {
    let begun = Instant::now();
    let mut matrix = Matrix::default();
    let labs =
        Method::ALL.into_iter().flat_map(|method| Family::ALL.map(|family| (method, family)));
    let with_traffic = !env::args().any(|argument| argument == ONLY_FRAMES);
    let labs = Mutex::new(labs.filter(|_| with_traffic));
    let next = || labs.lock().ok().and_then(|mut labs| labs.next());
    thread::scope(|scope| {
        let frames = scope.spawn(frames::prove);
        let traffic = || {
            let mut matrix = Matrix::default();
            while let Some((method, family)) = next() {
                matrix.merge(traffic::prove(method, family));
            }
            matrix
        };
        let parts = (0..AT_ONCE).map(|_| scope.spawn(traffic)).chain([frames]).collect::<Vec<_>>();
        for part in parts {
            match part.join() {
                Ok(part) => matrix.merge(part),
                Err(_) => matrix.fail("a part of the matrix ended in a panic".to_owned()),
            }
        }
    });
    let failures = matrix.failures();
    println!("\n{}", matrix.table());
    println!("F: frames compared to the byte; T: traffic of real sockets");
    for failure in &failures {
        println!("FAILED {failure}");
    }
    let verdict = if failures.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {} passed; {} failed; 0 ignored; finished in {:.2} s",
        matrix.count(),
        failures.len(),
        begun.elapsed().as_secs_f64()
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
