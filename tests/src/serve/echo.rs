//! A TCP service in which the server speaks first, as a database does: its name in a line, then an echo.
#![forbid(unsafe_code)]

use std::{
    io::{self, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

/// Serves for ever.
pub fn serve(listener: &TcpListener, name: &str) {
    for stream in listener.incoming().flatten() {
        let name = name.to_owned();
        thread::spawn(move || {
            if let Err(error) = echo(&stream, &name) {
                eprintln!("echo: {error}");
            }
        });
    }
}

fn echo(stream: &TcpStream, name: &str) -> io::Result<()> {
    let (mut from, mut to) = (stream, stream);
    to.write_all(format!("{name}\n").as_bytes())?;
    io::copy(&mut from, &mut to)?;
    Ok(())
}
