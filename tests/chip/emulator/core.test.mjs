// The processor does what rp2040js' own does, for all instructions, and what the manual says where that one errs.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { RP2040 } from 'rp2040js';
import { Core } from './core.mjs';
import { decoded, OP } from './opcodes.mjs';

const CODE_AT = 0x20000000;
const LR = 14;
const DATA_AT = 0x20010000;
const FLAGS = ['N', 'Z', 'C', 'V'];
const silent = { debug() {}, info() {}, warn() {}, error() {} };

// A generator of the same numbers each time (xorshift32)
function chance(seed) {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function machine(makeCore) {
  const mcu = new RP2040();
  mcu.logger = silent;
  if (makeCore) mcu.core = makeCore(mcu);
  return mcu;
}

function prepare(mcu, code, registers, flags, memory) {
  mcu.sram.set(memory, DATA_AT - CODE_AT);
  mcu.writeUint16(CODE_AT, code);
  mcu.core.registers.set(registers);
  mcu.core.registers[15] = CODE_AT;
  mcu.core.APSR = flags << 28;
}

function state(mcu) {
  const { core } = mcu;
  const memory = createHash('sha256').update(mcu.sram.subarray(DATA_AT - CODE_AT, DATA_AT - CODE_AT + 4096)).digest('hex');
  return { registers: [...core.registers], flags: FLAGS.map((name) => core[name]), memory };
}

// What rp2040js 1.4.1 does otherwise than the manual
const CARRY_IN = [OP.ADC, OP.SBC]; // its flags, if the sum with the carry overflows
const SHIFTS = [OP.LSL_REG, OP.LSR_REG, OP.ASR_REG, OP.ROR]; // its carry, for lengths of 0 and above 31
const EFFECTS = [OP.BKPT, OP.SVC, OP.WFE, OP.WFI, OP.SEV, OP.CPSIE, OP.CPSID, OP.WIDE, OP.NOP];
const IGNORED = new Set([0, ...CARRY_IN, ...SHIFTS, ...EFFECTS]);

test('each instruction leaves the same registers, flags and memory as in rp2040js', () => {
  const next = chance(20260101);
  const memory = Uint8Array.from({ length: 4096 }, () => next(256));
  const ours = machine((mcu) => new Core(mcu));
  const theirs = machine(null);
  for (let code = 0; code < 0x10000; code += 1 + next(3)) {
    if (IGNORED.has(decoded[code])) continue;
    // Addresses in data, small offsets between them, and now and then any number
    const registers = Array.from({ length: 16 }, (_, i) => (i < 3 ? DATA_AT + 1024 + 4 * next(64) : 4 * next(200)));
    if (isPure(code) && next(2)) for (let i = 0; i < 13; i++) registers[i] = next(2 ** 32);
    registers[13] = DATA_AT + 1024;
    registers[14] = CODE_AT + 0x101;
    if (!isSafe(code, registers)) continue;
    const flags = next(16) & (next(2) ? 3 : 11); // never N and Z at once
    for (const mcu of [ours, theirs]) prepare(mcu, code, registers, flags === 12 ? 8 : flags, memory);
    ours.core.left = ours.core.budget = 1;
    ours.core.execute(1);
    theirs.core.executeInstruction();
    assert.deepEqual(state(ours), state(theirs), `code ${code.toString(16)} (${nameOf(code)}), registers ${registers.map((r) => r.toString(16))}, flags ${flags}`);
  }
});

const MEMORY = Object.entries(OP).filter(([name]) => /^(LDR|STR|STM|LDM|PUSH|POP)/.test(name)).map(([, number]) => number);
const isPure = (code) => !MEMORY.includes(decoded[code]);

// Whether the manual says what it does, and the addresses that it uses are aligned and in data
function isSafe(code, registers) {
  if ([OP.BX, OP.BLX, OP.CMP_HIGH].includes(decoded[code])) return ((code >> 3) & 15) < LR;
  if (isPure(code)) return true;
  const kind = nameOf(code);
  if (/_(SP|LITERAL)$|PUSH|POP/.test(kind)) return true;
  const base = registers[(code >> 3) & 7];
  const many = (code >> 8) & 7;
  if (kind === 'LDM') return many < 3 && code & 0xff;
  if (kind === 'STM') return many < 3 && code & 0xff && !(code & (1 << many)); // rp2040js keeps a base that is stored
  if (/IMM$/.test(kind)) return base >= DATA_AT;
  return (base >= DATA_AT) !== (registers[(code >> 6) & 7] >= DATA_AT);
}

function nameOf(code) {
  return Object.keys(OP).find((name) => OP[name] === decoded[code]);
}

function run(code, registers, flags) {
  const mcu = machine((chip) => new Core(chip));
  prepare(mcu, code, [...registers, ...Array(16 - registers.length).fill(0)], flags, new Uint8Array(4096));
  mcu.core.left = mcu.core.budget = 1;
  mcu.core.execute(1);
  return { result: mcu.core.registers[0], flags: FLAGS.filter((name) => mcu.core[name]).join('') };
}

test('sums with a carry, by the manual', () => {
  const adc = 0x4148; // ADCS r0, r1
  assert.deepEqual(run(adc, [0xffffffff, 0], 2), { result: 0, flags: 'ZC' });
  assert.deepEqual(run(adc, [0x7fffffff, 0], 2), { result: 0x80000000, flags: 'NV' });
  assert.deepEqual(run(adc, [0xffffffff, 0xffffffff], 2), { result: 0xffffffff, flags: 'NC' });
  const sbc = 0x4188; // SBCS r0, r1
  assert.deepEqual(run(sbc, [5, 5], 2), { result: 0, flags: 'ZC' });
  assert.deepEqual(run(sbc, [5, 5], 0), { result: 0xffffffff, flags: 'N' });
  assert.deepEqual(run(sbc, [0x80000000, 1], 2), { result: 0x7fffffff, flags: 'CV' });
});

test('shifts by a register, by the manual', () => {
  const shifts = { lsl: 0x4088, lsr: 0x40c8, asr: 0x4108, ror: 0x41c8 };
  for (const code of Object.values(shifts)) assert.deepEqual(run(code, [5, 0x100], 2), { result: 5, flags: 'C' });
  assert.deepEqual(run(shifts.lsl, [3, 31], 0), { result: 0x80000000, flags: 'NC' });
  assert.deepEqual(run(shifts.lsl, [1, 32], 0), { result: 0, flags: 'ZC' });
  assert.deepEqual(run(shifts.lsl, [1, 33], 2), { result: 0, flags: 'Z' });
  assert.deepEqual(run(shifts.lsr, [0x80000000, 32], 0), { result: 0, flags: 'ZC' });
  assert.deepEqual(run(shifts.lsr, [0x80000000, 33], 2), { result: 0, flags: 'Z' });
  assert.deepEqual(run(shifts.asr, [0x80000000, 99], 0), { result: 0xffffffff, flags: 'NC' });
  assert.deepEqual(run(shifts.ror, [1, 32], 0), { result: 1, flags: '' });
  assert.deepEqual(run(shifts.ror, [1, 1], 0), { result: 0x80000000, flags: 'NC' });
});

test('a call by way of the link register goes where that pointed', () => {
  const mcu = machine((chip) => new Core(chip));
  prepare(mcu, 0x47f0, [...Array(LR).fill(0), CODE_AT + 0x101, 0], 0, new Uint8Array(4096));
  mcu.core.left = mcu.core.budget = 1;
  mcu.core.execute(1);
  assert.deepEqual([mcu.core.PC, mcu.core.LR], [CODE_AT + 0x100, CODE_AT + 3]);
});

test('storing several registers moves the base, even if it is one of them', () => {
  assert.equal(run(0xc003, [DATA_AT, 7], 0).result, DATA_AT + 8);
});

test('an alarm is served at its time, and a wait ends with its interrupt', () => {
  const mcu = machine((chip) => new Core(chip));
  const seen = [];
  mcu.writeUint16(CODE_AT, 0xbf30); // WFI
  mcu.writeUint16(CODE_AT + 2, 0xe7fd); // and again
  mcu.core.registers[15] = CODE_AT;
  for (const us of [10, 25]) mcu.clock.createAlarm(() => seen.push(mcu.clock.nanos / 1000)).schedule(us * 1000);
  mcu.core.run(50_000);
  assert.deepEqual(seen, [10, 25]);
  assert.equal(mcu.clock.nanos, 50_000);
  assert.ok(mcu.core.busyNanos < 100);
});
