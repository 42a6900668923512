//! Build information of both formats, and what is not build information.
#![allow(clippy::unwrap_used)]

use super::*;

const LIST: &str = "path\texample.org/cmd\nmod\texample.org\tv1.2.3\th1:abc=\n\
    dep\tgolang.org/x/net\tv0.1.0\th1:x=\ndep\texample.org/old\tv1.0.0\n=>\texample.org/new\tv2.0.0\th1:y=\n\
    build\t-compiler=gc\nbuild\tvcs.revision=0123abc\nbuild\tvcs.modified=true\n";

fn surrounded(list: &str) -> Vec<u8> {
    [&[1; SENTINEL], list.as_bytes(), &[2; SENTINEL]].concat()
}

fn with_length(text: &[u8]) -> Vec<u8> {
    let (mut length, mut out) = (text.len(), Vec::new());
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(text);
    out
}

/// A program as Go has linked them since 1.18.
fn inline_program(list: &str) -> Vec<u8> {
    let mut program = b"MZ".to_vec();
    program.resize(64, 0);
    program.extend_from_slice(MAGIC);
    program.extend_from_slice(&[8, INLINE]);
    program.resize(64 + STRINGS, 0);
    program.extend(with_length(b"go1.22.1"));
    program.extend(with_length(&surrounded(list)));
    program
}

/// An ELF program as Go linked them before 1.18, for 32 or 64 bits in either order.
fn pointer_program(width: usize, order: Order) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    let number = |value: u64, size: usize| match order {
        Order::Little => value.to_le_bytes()[..size].to_vec(),
        Order::Big => value.to_be_bytes()[8 - size..].to_vec(),
    };
    let wide = width == 8;
    let mut program = elf::MAGIC.to_vec();
    program.extend([
        if wide { 2 } else { 1 },
        if order == Order::Big { 2 } else { 1 },
    ]);
    program.resize(64, 0);
    let mut put = |at: usize, value: u64, size: usize| {
        program[at..at + size].copy_from_slice(&number(value, size));
    };
    let (table, entry) = if wide { (32, 54) } else { (28, 42) };
    put(table, 64, width);
    put(entry, if wide { 56 } else { 32 }, 2);
    put(entry + 2, 1, 2);
    let data = 128_u64;
    let mut segment = vec![0; 64];
    let fields = if wide {
        [(8, data), (16, BASE), (32, 4096)]
    } else {
        [(4, data), (8, BASE), (16, 4096)]
    };
    for (at, value) in fields {
        segment[at..at + width].copy_from_slice(&number(value, width));
    }
    segment[..4].copy_from_slice(&number(1, 4));
    program.extend(segment);
    let list = surrounded(LIST);
    let strings = [&b"go1.16.5"[..], &list];
    let mut content = [
        MAGIC,
        &[u8::try_from(width).unwrap(), u8::from(order == Order::Big)],
    ]
    .concat();
    content.extend(number(BASE + 64, width));
    content.extend(number(BASE + 64 + 2 * width as u64, width));
    content.resize(64, 0);
    let mut at = BASE + 256;
    for string in strings {
        content.extend(number(at, width));
        content.extend(number(string.len() as u64, width));
        at += string.len() as u64;
    }
    content.resize(256, 0);
    content.extend(strings.concat());
    content.resize(4096, 0);
    program.extend(content);
    program
}

fn found(program: &[u8]) -> GoProgram {
    match search(program) {
        Search::Found(info) => {
            assert_eq!(info.problem, None);
            info.program
        }
        other => panic!("{other:?}"),
    }
}

fn assert_is_the_list(program: &GoProgram) {
    assert_eq!(program.package, "example.org/cmd");
    assert_eq!(program.main.as_ref().unwrap().version, "v1.2.3");
    assert_eq!(program.revision.as_deref(), Some("0123abc"));
    assert!(program.modified);
    let paths: Vec<&str> = program
        .modules
        .iter()
        .map(|module| module.path.as_str())
        .collect();
    assert_eq!(paths, ["example.org/old", "golang.org/x/net"]);
    let replaced = program.modules[0].replaced_by.as_ref().unwrap();
    assert_eq!(
        (replaced.path.as_str(), replaced.version.as_str()),
        ("example.org/new", "v2.0.0")
    );
}

#[test]
fn programs_since_1_18_have_their_strings_behind_the_header() {
    let program = found(&inline_program(LIST));
    assert_eq!(program.go, "go1.22.1");
    assert_is_the_list(&program);
}

#[test]
fn programs_before_1_18_have_pointers_to_them() {
    for (width, order) in [
        (8, Order::Little),
        (4, Order::Little),
        (8, Order::Big),
        (4, Order::Big),
    ] {
        let program = found(&pointer_program(width, order));
        assert_eq!(program.go, "go1.16.5");
        assert_is_the_list(&program);
    }
}

#[test]
fn the_magic_number_in_other_data_is_not_build_information() {
    let mut program = b"\x7fELF".to_vec();
    program.resize(64, 0);
    program.extend_from_slice(MAGIC);
    program.extend_from_slice(b"not a header of anything");
    program.resize(256, 0);
    assert_eq!(search(&program), Search::Nothing);
    program.extend_from_slice(&inline_program(LIST)[64..]);
    assert_is_the_list(&found(&program));
}

#[test]
fn what_cannot_be_read_is_said() {
    let mut cut = inline_program(LIST);
    cut.truncate(200);
    assert!(matches!(search(&cut), Search::Unread(_)));
    let packed = [&b"\x7fELF"[..], &[0; 100], b"UPX!", &[0; 100]].concat();
    assert!(matches!(search(&packed), Search::Unread(_)));
    let Search::Found(info) = search(&inline_program("path\tx\nwhat\tis this\n")) else {
        panic!("the rest is readable");
    };
    assert_eq!(
        info.problem.unwrap(),
        "a line of its build information is unknown: \"what\\tis this\""
    );
}

#[test]
fn a_java_class_is_not_a_program() {
    assert!(!is_program(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52]));
    assert!(is_program(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2]));
    assert!(is_program(b"MZ\x90\0"));
    assert!(!is_program(b"#!/bin/sh"));
}

#[test]
fn changed_and_cut_programs_never_panic() {
    for program in [
        inline_program(LIST),
        pointer_program(8, Order::Little),
        pointer_program(4, Order::Big),
    ] {
        for at in 0..program.len().min(700) {
            for byte in [0x00, 0x7f, 0x80, 0xff] {
                let mut changed = program.clone();
                changed[at] = byte;
                let _ = search(&changed);
            }
            let _ = search(&program[..at]);
        }
    }
}
