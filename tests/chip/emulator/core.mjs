// The processor, several times faster than rp2040js' own: instructions are looked up in a table of all 65,536 codes,
// memory is read in place, and alarms are looked at only when one is due. core.test.mjs compares the two.
// Cycles: ARM Cortex-M0+ Technical Reference Manual, "Instruction set summary"; no waits for flash.

import { CortexM0Core } from './node_modules/rp2040js/dist/esm/cortex-m0-core.js';
import { execute } from './execute.mjs';
import { OP } from './opcodes.mjs';
import { CARRY, LR, NZ, OVERFLOW, PC, SP } from './state.mjs';

const FLASH_AT = 0x10000000;
const SRAM_AT = 0x20000000;
const SIO = 0xd; // the first digit of its addresses
const EXCEPTION_CYCLES = 15;

export class Core extends CortexM0Core {
  constructor(mcu) {
    super(mcu);
    const words = new ArrayBuffer(4 * 20);
    this.registers = new Uint32Array(words, 0, 16);
    this.state = new Int32Array(words);
    this.state[NZ] = 1;
    this.sramSize = mcu.sram.length;
    this.sram8 = mcu.sram;
    this.sram16 = new Uint16Array(mcu.sram.buffer);
    this.sram32 = new Int32Array(mcu.sram.buffer);
    this.flash8 = mcu.flash;
    this.flash16 = new Uint16Array(mcu.flash.buffer);
    this.flash32 = new Int32Array(mcu.flash.buffer);
    this.flashMask = mcu.flash.length - 1; // a smaller chip repeats
    this.budget = 0; // cycles that this stretch may take, and that are left of it
    this.left = 0;
    this.startNanos = 0;
    this.cycleNanos = 8;
    this.busyNanos = 0;
    this.SP = 0xfffffffc;
  }

  // rp2040js keeps flags as fields; its own constructor sets them before `state` is there
  get N() { return this.state[NZ] < 0; }
  get Z() { return this.state[NZ] === 0; }
  get C() { return this.state[CARRY] === 1; }
  get V() { return this.state[OVERFLOW] === 1; }
  set N(_) { /* by APSR */ }
  set Z(_) { /* by APSR */ }
  set C(_) { /* by APSR */ }
  set V(_) { /* by APSR */ }
  get APSR() {
    return (this.N ? 0x80000000 : 0) | (this.Z ? 0x40000000 : 0) | (this.state[CARRY] << 29) | (this.state[OVERFLOW] << 28);
  }
  set APSR(value) {
    this.state[NZ] = value & 0x80000000 ? -1 : value & 0x40000000 ? 0 : 1;
    this.state[CARRY] = (value >>> 29) & 1;
    this.state[OVERFLOW] = (value >>> 28) & 1;
  }

  exceptionEntry(number) {
    super.exceptionEntry(number);
    this.left -= EXCEPTION_CYCLES;
  }

  // Run until the clock has reached an instant, or `stop` is called
  run(untilNanos) {
    const { clock } = this.rp2040;
    this.isStopped = false;
    while (clock.nanos < untilNanos && !this.isStopped) {
      const due = clock.nextAlarm && clock.nextAlarm.nanos < untilNanos ? clock.nextAlarm.nanos : untilNanos;
      if (this.waiting && this.eventRegistered) this.waiting = false;
      if (this.waiting) {
        clock.tick(Math.max(0, due - clock.nanos));
        continue;
      }
      this.cycleNanos = 1e9 / this.rp2040.clkSys;
      this.startNanos = clock.nanos;
      this.budget = this.left = Math.ceil((due - clock.nanos) / this.cycleNanos);
      if (this.interruptsUpdated && this.checkForInterrupts()) this.waiting = false;
      if (this.left > 0) this.execute(this.left);
      this.busyNanos += (this.budget - this.left) * this.cycleNanos;
      clock.tick(Math.max(0, this.nowNanos() - clock.nanos)); // routines of the ROM move the clock themselves
    }
  }

  stop() {
    this.isStopped = true;
    this.endStretch();
  }

  nowNanos() { return this.startNanos + (this.budget - this.left) * this.cycleNanos; }

  // Let `run` look at alarms and interrupts after this instruction
  endStretch() {
    this.budget -= this.left;
    this.left = 0;
  }

  setInterrupt(irq, value) {
    super.setInterrupt(irq, value);
    if (this.interruptsUpdated) this.endStretch();
  }

  load32(address) {
    const inSram = (address - SRAM_AT) >>> 0;
    if (inSram < this.sramSize && !(inSram & 3)) return this.sram32[inSram >> 2];
    const inFlash = (address - FLASH_AT) >>> 0;
    if (inFlash < 0x4000000 && !(inFlash & 3)) return this.flash32[(inFlash & this.flashMask) >> 2];
    return this.slowLoad(address, 32);
  }

  load16(address) {
    const inSram = (address - SRAM_AT) >>> 0;
    if (inSram < this.sramSize && !(inSram & 1)) return this.sram16[inSram >> 1];
    const inFlash = (address - FLASH_AT) >>> 0;
    if (inFlash < 0x4000000 && !(inFlash & 1)) return this.flash16[(inFlash & this.flashMask) >> 1];
    return this.slowLoad(address, 16);
  }

  load8(address) {
    const inSram = (address - SRAM_AT) >>> 0;
    if (inSram < this.sramSize) return this.sram8[inSram];
    const inFlash = (address - FLASH_AT) >>> 0;
    if (inFlash < 0x4000000) return this.flash8[inFlash & this.flashMask];
    return this.slowLoad(address, 8);
  }

  store32(address, value) {
    const inSram = (address - SRAM_AT) >>> 0;
    if (inSram < this.sramSize && !(inSram & 3)) this.sram32[inSram >> 2] = value;
    else this.slowStore(address, value >>> 0, 32);
  }

  store16(address, value) {
    const inSram = (address - SRAM_AT) >>> 0;
    if (inSram < this.sramSize && !(inSram & 1)) this.sram16[inSram >> 1] = value;
    else this.slowStore(address, value & 0xffff, 16);
  }

  store8(address, value) {
    const inSram = (address - SRAM_AT) >>> 0;
    if (inSram < this.sramSize) this.sram8[inSram] = value;
    else this.slowStore(address, value & 0xff, 8);
  }

  // A peripheral must know the time when it is accessed, and may set alarms and interrupts
  slowLoad(address, bits) {
    const { rp2040 } = this;
    const at = address >>> 0;
    this.takeBusCycles(at, 2);
    const value = bits === 32 ? rp2040.readUint32(at) : bits === 16 ? rp2040.readUint16(at) : rp2040.readUint8(at);
    if (at >>> 28 !== SIO && at >>> 28 !== 1) this.endStretch();
    return value;
  }

  slowStore(address, value, bits) {
    const { rp2040 } = this;
    const at = address >>> 0;
    this.takeBusCycles(at, 3);
    if (bits === 32) rp2040.writeUint32(at, value);
    else if (bits === 16) rp2040.writeUint16(at, value);
    else rp2040.writeUint8(at, value);
    if (at >>> 28 !== SIO) this.endStretch();
  }

  // SIO answers at once, other peripherals later than memory
  takeBusCycles(at, more) {
    if (at >>> 28 === SIO) this.left++;
    else if (at >>> 28 === 4 || at >>> 28 === 5) this.left -= more;
    this.rp2040.clock.nanosCounter = this.nowNanos();
  }

  fetch(pc) {
    return pc >>> 28 === 2 ? this.sram16[(pc - SRAM_AT) >>> 1] : this.rp2040.readUint16(pc >>> 0);
  }

  fetchAny(pc) {
    return pc >>> 28 === 1 ? this.flash16[(pc & 0xffffff) >> 1] : this.fetch(pc);
  }

  // a + b + carry, with all flags; a - b is a + ~b + 1
  add(a, b, carry) {
    const r = this.state;
    const sum = (a >>> 0) + (b >>> 0) + carry;
    const result = sum | 0;
    r[NZ] = result;
    r[CARRY] = sum > 0xffffffff ? 1 : 0;
    r[OVERFLOW] = ((a ^ result) & (b ^ result)) >>> 31;
    return result;
  }

  branchTo(address) {
    this.BXWritePC(address >>> 0);
    if (this.interruptsUpdated) this.endStretch();
  }

  push(list) {
    const r = this.state;
    let address = r[SP];
    if (list & 0x100) { address -= 4; this.left--; this.store32(address, r[LR]); }
    for (let i = 7; i >= 0; i--) if (list & (1 << i)) { address -= 4; this.left--; this.store32(address, r[i]); }
    r[SP] = address;
  }

  pop(list) {
    const r = this.state;
    let address = r[SP];
    for (let i = 0; i < 8; i++) if (list & (1 << i)) { this.left--; r[i] = this.load32(address); address += 4; }
    if (!(list & 0x100)) { r[SP] = address; return; }
    this.left -= 3;
    const target = this.load32(address);
    r[SP] = address + 4;
    this.branchTo(target);
  }

  storeMany(base, list) {
    const r = this.state;
    let address = r[base];
    for (let i = 0; i < 8; i++) if (list & (1 << i)) { this.left--; this.store32(address, r[i]); address += 4; }
    r[base] = address;
  }

  loadMany(base, list) {
    const r = this.state;
    let address = r[base];
    for (let i = 0; i < 8; i++) if (list & (1 << i)) { this.left--; r[i] = this.load32(address); address += 4; }
    if (!(list & (1 << base))) r[base] = address;
  }

  // BL, barriers, MRS and MSR; the program counter is behind the first half
  wide(op, second) {
    const r = this.state;
    this.left -= 2;
    if (op >> 11 === 0b11110 && (second & 0xd000) === 0xd000) {
      const s = (op >> 10) & 1;
      const i1 = 1 ^ s ^ ((second >> 13) & 1);
      const i2 = 1 ^ s ^ ((second >> 11) & 1);
      const offset = ((-s << 24) | (i1 << 23) | (i2 << 22) | ((op & 0x3ff) << 12) | ((second & 0x7ff) << 1)) | 0;
      r[LR] = (r[PC] + 2) | 1;
      r[PC] += 2 + offset;
      return;
    }
    r[PC] += 2;
    if (op === 0xf3ef && second >> 12 === 8) r[(second >> 8) & 15] = this.readSpecialRegister(second & 0xff);
    else if (op >> 4 === 0xf38 && second >> 8 === 0x88) {
      this.writeSpecialRegister(second & 0xff, this.registers[op & 15]);
      this.endStretch();
    } else if (op !== 0xf3bf || ![4, 5, 6].includes((second >> 4) & 15)) this.rp2040.onBreak(`opcode ${op.toString(16)} ${second.toString(16)}`);
  }

  // A routine of the ROM: it takes some cycles, or has moved the clock
  breakpoint(number) {
    this.rp2040.clock.nanosCounter = this.nowNanos();
    const cycles = this.rp2040.onBreak(number);
    if (cycles) this.left -= cycles;
    else this.endStretch();
  }

  rare(kind, op) {
    switch (kind) {
      case OP.CPSID: this.PM = true; break;
      case OP.CPSIE: this.PM = false; this.interruptsUpdated = true; this.endStretch(); break;
      case OP.WFE:
        this.left--;
        if (this.eventRegistered) this.eventRegistered = false;
        else this.waiting = true;
        this.endStretch();
        break;
      case OP.WFI: this.left--; this.waiting = true; this.endStretch(); break;
      case OP.SEV: this.eventRegistered = true; break;
      case OP.SVC: this.pendingSVCall = true; this.interruptsUpdated = true; this.endStretch(); break;
      case OP.BKPT:
        this.breakpoint(op & 0xff);
        break;
      default: this.rp2040.onBreak(`opcode ${op.toString(16)}`); this.endStretch();
    }
  }
}

Core.prototype.execute = execute;
