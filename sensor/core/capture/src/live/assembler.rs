//! A small assembler for classic BPF, the language of socket filters (Linux, `Documentation/networking/filter.rst`).
//!
//! Jumps name labels and only go ahead, so every program ends. A conditional jump of the machine reaches 255 instructions;
//! here each steps over an unconditional one, whose reach is 32 bits, so no label is too far.

/// One instruction, as the kernel takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Class, size, mode and operation.
    pub code: u16,
    /// Instructions to step over if the condition holds.
    pub if_true: u8,
    /// Instructions to step over if it does not.
    pub if_false: u8,
    /// The operand.
    pub operand: u32,
}

/// A place in the program that is named before it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// Codes as `linux/bpf_common.h` composes them.
pub(super) mod code {
    pub const LOAD_WORD: u16 = 0x20;
    pub const LOAD_WORD_AT_X: u16 = 0x40;
    pub const LOAD_SHORT_AT_X: u16 = 0x48;
    pub const LOAD_OCTET_AT_X: u16 = 0x50;
    pub const LOAD_MEMORY: u16 = 0x60;
    pub const STORE: u16 = 0x02;
    pub const SET_X: u16 = 0x01;
    pub const X_FROM_MEMORY: u16 = 0x61;
    pub const ADD: u16 = 0x04;
    pub const ADD_X: u16 = 0x0c;
    pub const MULTIPLY: u16 = 0x24;
    pub const AND: u16 = 0x54;
    pub const XOR_X: u16 = 0xac;
    pub const SHIFT_LEFT: u16 = 0x64;
    pub const SHIFT_RIGHT: u16 = 0x74;
    pub const JUMP: u16 = 0x05;
    pub const IF_EQUAL: u16 = 0x15;
    pub const IF_AT_LEAST: u16 = 0x35;
    pub const IF_ANY_BIT: u16 = 0x45;
    pub const RETURN: u16 = 0x06;
    pub const RETURN_ACCUMULATOR: u16 = 0x16;
    pub const COPY_TO_X: u16 = 0x07;
    pub const COPY_FROM_X: u16 = 0x87;
}

/// Takes instructions one after the other, and gives the program once all labels are set.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    program: Vec<Instruction>,
    /// By label: where it stands, once it is set.
    places: Vec<Option<usize>>,
    /// Jumps whose operand is still to be found: where they stand, and to which label.
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    /// A label to be set later.
    pub fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// The next instruction is where *label* leads.
    pub fn set(&mut self, label: Label) {
        self.places[label.0] = Some(self.program.len());
    }

    /// An instruction that does not jump.
    pub fn put(&mut self, code: u16, operand: u32) {
        self.program.push(Instruction {
            code,
            if_true: 0,
            if_false: 0,
            operand,
        });
    }

    /// A jump to *label*, whatever is the case.
    pub fn jump(&mut self, label: Label) {
        self.jumps.push((self.program.len(), label));
        self.put(code::JUMP, 0);
    }

    /// A jump to *label* if *condition* holds between the accumulator and *operand*; else the program goes on.
    pub fn jump_if(&mut self, condition: u16, operand: u32, label: Label) {
        self.program.push(Instruction {
            code: condition,
            if_true: 0,
            if_false: 1,
            operand,
        });
        self.jump(label);
    }

    /// A jump to *label* if *condition* does not hold; else the program goes on.
    pub fn jump_unless(&mut self, condition: u16, operand: u32, label: Label) {
        self.program.push(Instruction {
            code: condition,
            if_true: 1,
            if_false: 0,
            operand,
        });
        self.jump(label);
    }

    /// A jump to *label* if the accumulator is one of *values*.
    pub fn jump_if_one_of(&mut self, values: &[u32], label: Label) {
        for value in values {
            self.jump_if(code::IF_EQUAL, *value, label);
        }
    }

    /// The program. None if a jump leads to a label that was not set behind it: a defect of what was assembled.
    pub fn finish(mut self) -> Option<Vec<Instruction>> {
        for (at, label) in self.jumps {
            let behind = self.places[label.0]?.checked_sub(at + 1)?;
            self.program[at].operand = u32::try_from(behind).ok()?;
        }
        Some(self.program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_steps_over_what_lies_before_its_label() {
        let mut it = Assembler::default();
        let end = it.label();
        it.jump_if(code::IF_EQUAL, 7, end);
        it.put(code::RETURN, 0);
        it.set(end);
        it.put(code::RETURN, 1);
        let program = it.finish().unwrap();
        let operands: Vec<u32> = program.iter().map(|each| each.operand).collect();
        assert_eq!(operands, [7, 1, 0, 1]);
        assert_eq!((program[0].if_true, program[0].if_false), (0, 1));
    }

    #[test]
    fn a_jump_without_an_end_or_back_is_no_program() {
        let mut nowhere = Assembler::default();
        let label = nowhere.label();
        nowhere.jump(label);
        assert_eq!(nowhere.finish(), None);
        let mut back = Assembler::default();
        let label = back.label();
        back.set(label);
        back.jump(label);
        assert_eq!(back.finish(), None);
    }
}
