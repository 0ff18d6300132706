// The routines of the boot ROM give what the chip's documentation says they give.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RP2040 } from 'rp2040js';
import { call, rom } from './boot_rom.mjs';

const bytes = new DataView(rom.buffer);
const at16 = (address) => bytes.getUint16(address, true);
const at32 = (address) => bytes.getUint32(address, true);
const board = { flash: { faults: { slowReads: 1 } } };
// Places in the tables of floating point, as in the SDK's sf_table.h
const FLOAT = { add: 0, sub: 4, mul: 8, div: 12, sqrt: 0x18, toInt: 0x1c, toUint: 0x24, fromInt: 0x2c, fromUint: 0x34 };
const MORE = { cos: 0x3c, sin: 0x40, tan: 0x44, exp: 0x4c, ln: 0x50, compare: 0x54, atan2: 0x58, fromInt64: 0x5c };

function place(list, name) {
  for (let at = at16(list); at16(at); at += 4) {
    if (String.fromCharCode(at16(at) & 0xff, at16(at) >> 8) === name) return at16(at + 2);
  }
  return assert.fail(`${name} is not in the ROM`);
}

// Call the routine at an address as the chip does: BKPT there, then BX LR
function callAt(mcu, address, registers) {
  mcu.core.registers.set(registers);
  assert.equal(at16((address & ~1) + 2), 0x4770);
  assert.notEqual(call(board, mcu, at16(address & ~1) & 0xff), null);
  return mcu.core.registers;
}

const made = () => {
  const mcu = new RP2040();
  mcu.loadBootrom(rom);
  return mcu;
};

test('bits', () => {
  const mcu = made();
  const result = (name, value) => callAt(mcu, place(0x14, name), [value])[0];
  assert.equal(result('P3', 0xf0f00001), 9);
  assert.equal(result('R3', 1), 0x80000000);
  assert.deepEqual([result('L3', 1), result('L3', 0)], [31, 32]);
  assert.deepEqual([result('T3', 8), result('T3', 0)], [3, 32]);
});

test('memory', () => {
  const mcu = made();
  mcu.sram.set([1, 2, 3, 4, 5], 0);
  callAt(mcu, place(0x14, 'MC'), [0x20000100, 0x20000000, 5]);
  assert.deepEqual([...mcu.sram.subarray(0x100, 0x106)], [1, 2, 3, 4, 5, 0]);
  callAt(mcu, place(0x14, 'MS'), [0x20000101, 0x1ab, 2]);
  assert.deepEqual([...mcu.sram.subarray(0x100, 0x105)], [1, 0xab, 0xab, 4, 5]);
});

const buffer = new DataView(new ArrayBuffer(8));
const single = (value) => (buffer.setFloat32(0, value), buffer.getUint32(0));
const number = (word) => (buffer.setUint32(0, word), buffer.getFloat32(0));
const double = (value) => (buffer.setFloat64(0, value), [buffer.getUint32(4), buffer.getUint32(0)]);
const doubleNumber = (low, high) => (buffer.setUint32(0, high), buffer.setUint32(4, low), buffer.getFloat64(0));

test('single precision', () => {
  const mcu = made();
  const table = place(0x16, 'SF');
  const result = (offset, ...words) => callAt(mcu, at32(table + offset), words)[0];
  const of = (offset, ...values) => number(result(offset, ...values.map(single)));
  assert.equal(of(FLOAT.add, 1.5, 2.25), 3.75);
  assert.equal(of(FLOAT.sub, 1, 3), -2);
  assert.equal(of(FLOAT.mul, 3, -0.5), -1.5);
  assert.equal(of(FLOAT.div, 1, 3), Math.fround(1 / 3));
  assert.equal(of(FLOAT.div, 1, 0), Infinity);
  assert.equal(of(FLOAT.sqrt, 2), Math.fround(Math.SQRT2));
  assert.equal(of(FLOAT.add, 2 ** -149, 0), 0); // denormals count as zero
  assert.equal(result(FLOAT.toInt, single(-7.5)) | 0, -8);
  assert.equal(result(FLOAT.toInt, single(1e20)), 0x7fffffff);
  assert.equal(result(FLOAT.toUint, single(-1)), 0);
  assert.equal(number(result(FLOAT.fromInt, -5)), -5);
  assert.equal(number(result(FLOAT.fromUint, 0xffffffff)), 2 ** 32);
  assert.equal(number(result(FLOAT.fromInt, 16777217)), 16777216); // to the nearest even
  for (const [name, f] of [['cos', Math.cos], ['sin', Math.sin], ['tan', Math.tan], ['exp', Math.exp], ['ln', Math.log]]) {
    assert.equal(of(MORE[name], 0.7), Math.fround(f(Math.fround(0.7))), name);
  }
  assert.equal(of(MORE.atan2, 1, -1), Math.fround(Math.atan2(1, -1)));
  assert.equal(result(MORE.compare, single(1), single(2)) | 0, -1);
  assert.equal(result(MORE.compare, single(2), single(2)), 0);
  assert.equal(number(result(MORE.fromInt64, 0, 0x80000000)), -(2 ** 63));
});

test('double precision', () => {
  const mcu = made();
  const table = place(0x16, 'SD');
  const of = (offset, ...values) => {
    const r = callAt(mcu, at32(table + offset), values.flatMap(double));
    return doubleNumber(r[0], r[1]);
  };
  assert.equal(of(FLOAT.add, 0.1, 0.2), 0.1 + 0.2);
  assert.equal(of(FLOAT.mul, 1e200, 1e200), Infinity);
  assert.equal(of(FLOAT.div, 1, 3), 1 / 3);
  assert.equal(of(FLOAT.sqrt, 2), Math.SQRT2);
});
