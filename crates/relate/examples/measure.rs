//! Encodes a file given others and prints what it takes, by kind of bytes and class of stream.
//!
//!     cargo run --release --example measure -- [--effort N] [--level N] NEW BASE...

#![allow(clippy::print_stdout, clippy::cast_precision_loss)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::time::Instant;

use relate::{Class, Content, Kind, Options, decode, encode};

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::default();
    let mut level = 12;
    let mut files = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().unwrap_or_default().parse::<u8>();
        match argument.as_str() {
            "--effort" => options.effort = number()?,
            "--level" => level = i32::from(number()?),
            _ => files.push(fs::read(argument)?),
        }
    }
    let (new, bases) = files.split_first().ok_or("no file given")?;
    let bases: Vec<&dyn Content> = bases.iter().map(|base| base as &dyn Content).collect();
    let start = Instant::now();
    let encoded = encode(new, &bases, &options)?;
    let encoding = start.elapsed().as_secs_f64();
    let mut decoded = vec![0; new.len()];
    let start = Instant::now();
    decode(encoded.codec, encoded.inputs(), &bases, &mut decoded)?;
    let decoding = start.elapsed().as_secs_f64();
    assert!(decoded == *new, "decoded content differs");

    let mut table: BTreeMap<String, BTreeMap<Class, (usize, usize)>> = BTreeMap::new();
    let mut total = 0;
    for stream in &encoded.streams {
        let compressed = zstd::bulk::compress(&stream.bytes, level)?.len();
        total += compressed;
        let row = match (stream.id.class, Kind::from_number(stream.id.kind)) {
            (Class::Layout | Class::Fields, _) | (_, None) => stream.id.to_string(),
            (_, Some(kind)) => kind.name().to_owned(),
        };
        let sizes = (stream.bytes.len(), compressed);
        table.entry(row).or_default().insert(stream.id.class, sizes);
    }
    for (row, classes) in &table {
        let sum: usize = classes.values().map(|(_, compressed)| compressed).sum();
        print!("{row:24} {sum:>9} ");
        for class in Class::ALL {
            if let Some((raw, compressed)) = classes.get(&class) {
                print!(" {class:?} {compressed} ({raw})");
            }
        }
        println!();
    }
    let speed = |seconds: f64| new.len() as f64 / 1e6 / seconds;
    println!(
        "{}: {} -> {total} bytes; encoding {:.1} MB/s, decoding {:.1} MB/s",
        encoded.codec,
        new.len(),
        speed(encoding),
        speed(decoding)
    );
    Ok(())
}
