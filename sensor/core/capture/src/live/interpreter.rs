//! Classic BPF as the kernel runs it, as far as our filters use it: slow, plain, for tests alone.

use super::assembler::code;
use super::filter::Instruction;

/// Octets of *frame* that *program* lets through; 0 drops it. *kind* is the kind of packet (4: on its way out).
pub fn run(program: &[Instruction], frame: &[u8], kind: u32) -> u32 {
    run_as(program, frame, kind, 0)
}

/// What *program* gives for *frame*, of which the kernel says *kind* and *ethertype*.
///
/// A read beyond the frame ends the program with 0, as in the kernel.
pub fn run_as(program: &[Instruction], frame: &[u8], kind: u32, ethertype: u32) -> u32 {
    let (mut a, mut x, mut at) = (0_u32, 0_u32, 0_usize);
    let mut memory = [None; 16];
    loop {
        let Instruction {
            code: operation,
            if_true,
            if_false,
            operand: k,
        } = program[at];
        at += 1;
        let mut branch = |condition: bool| at += usize::from(if condition { if_true } else { if_false });
        match operation {
            code::RETURN => return k,
            code::RETURN_ACCUMULATOR => return a,
            code::JUMP => at += k as usize,
            code::IF_EQUAL => branch(a == k),
            code::IF_AT_LEAST => branch(a >= k),
            code::IF_ANY_BIT => branch(a & k != 0),
            code::SET_X => x = k,
            code::COPY_TO_X => x = a,
            code::COPY_FROM_X => a = x,
            code::ADD => a = a.wrapping_add(k),
            code::ADD_X => a = a.wrapping_add(x),
            code::AND => a &= k,
            code::XOR_X => a ^= x,
            code::MULTIPLY => a = a.wrapping_mul(k),
            code::STORE => memory[k as usize] = Some(a),
            // The kernel refuses a program that may read what it did not store.
            code::LOAD_MEMORY => a = memory[k as usize].unwrap(),
            code::X_FROM_MEMORY => x = memory[k as usize].unwrap(),
            code::SHIFT_LEFT => a <<= k,
            code::SHIFT_RIGHT => a >>= k,
            code::LOAD_WORD if k == 0xffff_f004 => a = kind,
            code::LOAD_WORD if k == 0xffff_f000 => a = ethertype,
            code::LOAD_WORD_AT_X | code::LOAD_SHORT_AT_X | code::LOAD_OCTET_AT_X => {
                let octets = match operation {
                    code::LOAD_OCTET_AT_X => 1,
                    code::LOAD_SHORT_AT_X => 2,
                    _ => 4,
                };
                let start = x.wrapping_add(k) as usize;
                let Some(read) = frame.get(start..start + octets) else {
                    return 0;
                };
                a = read.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet));
            }
            other => unreachable!("instruction {other:#x} is not one of ours"),
        }
    }
}
