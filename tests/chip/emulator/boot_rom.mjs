// A boot ROM of our own: nothing of the chip's ROM is in here. Each routine is two Thumb instructions, BKPT #n and
// BX LR; the board hands BKPT to `call`, which does the work. Addresses and two-letter codes: RP2040 datasheet,
// "Bootrom Contents". The path from reset is left out: the core starts at the image's second stage.

import { floatTable } from './boot_rom_float.mjs';

const LOOKUP = 0; // numbers of BKPT; those of the routines follow from FIRST on
const HANG = 1;
const FIRST = 16;
export const ENDLESS_LOOP = 0x80; // where an instruction branches to itself
const FLASH_AT = 0x10000000;
const FLASH_END = 0x14000000;

const reversed = (word) => {
  let result = 0;
  for (let bit = 0; bit < 32; bit++) result = (result << 1) | ((word >>> bit) & 1);
  return result >>> 0;
};
const onesIn = (word) => {
  let count = 0;
  for (let rest = word >>> 0; rest; rest = (rest & (rest - 1)) >>> 0) count++;
  return count;
};
const copy = (r, mcu) => {
  for (let i = 0; i < r[2]; i++) mcu.writeUint8((r[0] + i) >>> 0, mcu.readUint8((r[1] + i) >>> 0));
};
const fill = (r, mcu) => {
  for (let i = 0; i < r[2]; i++) mcu.writeUint8((r[0] + i) >>> 0, r[1] & 0xff);
};
const dataAt = (mcu, address, length) => Uint8Array.from({ length }, (_, i) => mcu.readUint8((address + i) >>> 0));

// Of registers, chip, and board: the new r0, or undefined to keep it
const routines = {
  IF: () => {}, // these four leave and enter memory-mapped reading
  EX: () => {},
  FC: () => {},
  CX: () => {},
  RE: (r, _, board) => board.flashOperation((flash) => flash.erase(r[0], r[1])),
  RP: (r, mcu, board) => board.flashOperation((flash) => flash.program(r[0], dataAt(mcu, r[1], r[2]))),
  MS: fill,
  S4: fill,
  MC: copy,
  C4: copy,
  P3: (r) => onesIn(r[0]),
  R3: (r) => reversed(r[0]),
  L3: (r) => Math.clz32(r[0]),
  T3: (r) => (r[0] ? Math.clz32(reversed(r[0])) : 32),
};
const codes = Object.keys(routines);
const tables = ['SF', 'SD'];
for (const table of tables) {
  for (const [name, routine] of Object.entries(floatTable(table))) if (routine) routines[`${table}.${name}`] = routine;
}
const names = Object.keys(routines);

const view = new DataView(new ArrayBuffer(16 * 1024));
const put16 = (at, value) => view.setUint16(at, value, true);
const put32 = (at, value) => view.setUint32(at, value, true);
const keyOf = (name) => name.charCodeAt(0) | (name.charCodeAt(1) << 8);

function layOut() {
  let end = 0x100;
  const place = (number) => {
    put16(end, 0xbe00 | number);
    put16(end + 2, 0x4770);
    end += 4;
    return (end - 4) | 1;
  };
  const list = (entries) => {
    const start = end;
    for (const [name, where] of entries) {
      put16(end, keyOf(name));
      put16(end + 2, where);
      end += 4;
    }
    end += 4; // a code of 0 ends it
    return start;
  };
  const hang = place(HANG);
  const lookup = place(LOOKUP);
  put32(0, 0x20042000); // the stack; reset, NMI and hard fault follow
  for (const vector of [4, 8, 12]) put32(vector, hang);
  put16(ENDLESS_LOOP, 0xe7fe);
  view.setUint32(0x10, 0x4d750103); // 'M', 'u', 1 and the ROM's version
  const places = Object.fromEntries(names.map((name, index) => [name, place(FIRST + index)]));
  const floats = tables.map((table) => {
    const entries = Object.keys(floatTable(table));
    end = (end + 7) & ~3;
    const start = end;
    put16(start - 2, entries.length);
    for (const name of entries) {
      put32(end, places[`${table}.${name}`] ?? hang);
      end += 4;
    }
    return [table, start];
  });
  put16(0x14, list(codes.map((name) => [name, places[name]])));
  put16(0x16, list(floats));
  put16(0x18, lookup);
}
layOut();
export const rom = new Uint32Array(view.buffer);

// Cycles on the chip of what takes one instruction here. Datasheet: 63 to 75 for most of single precision.
function cyclesOf(name, r, board) {
  if (name.startsWith('SF.')) return 70;
  if (name.startsWith('SD.')) return 200;
  if (name === 'RE' || name === 'RP') return 0; // the flash moves the clock
  if (!['MS', 'S4', 'MC', 'C4'].includes(name)) return 10;
  const fromFlash = name[0] !== 'S' && r[1] >= FLASH_AT && r[1] < FLASH_END;
  return 10 + (r[2] >>> 1) * (fromFlash ? board.flash.faults.slowReads : 1);
}

function lookUp(r) {
  for (let at = r[0]; view.getUint16(at, true); at += 4) {
    if (view.getUint16(at, true) === (r[1] & 0xffff)) return view.getUint16(at + 2, true);
  }
  return 0;
}

// Do what BKPT #number stands for; return the cycles it takes, or null if it is not one of this ROM's
export function call(board, mcu, number) {
  const r = mcu.core.registers;
  if (number === LOOKUP) {
    r[0] = lookUp(r);
    return 30;
  }
  const name = names[number - FIRST];
  if (!name) return null;
  const cycles = cyclesOf(name, r, board);
  const result = routines[name](r, mcu, board);
  if (result !== undefined) r[0] = result >>> 0;
  return cycles;
}
