//! Runs a proxy by hand: `cargo run -p habitat-wire --example wire -- <host> <port> [milliseconds each way]`.
//!
//! Prints the URL to connect to, and after each line on standard input what passed since the line before.

use std::io::BufRead;
use std::time::Duration;

use habitat_wire::{Proxy, Target};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().ok_or("a host, or a socket's directory, is missing")?;
    let port = arguments.next().ok_or("a port is missing")?.parse()?;
    let latency = arguments.next().map_or(Ok(0), |text| text.parse())?;

    let proxy = Proxy::to(Target::host(&host, port)?).latency(Duration::from_millis(latency)).start()?;
    println!("{}", proxy.url("postgres", "postgres"));
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{:#?}", proxy.stats());
        proxy.reset();
    }
    Ok(())
}
