// What rp2040js 1.4.1 lacks of the chip, as far as MicroPython uses it.

import { BasePeripheral, GPIOPinState } from 'rp2040js';

const QSPI_PADS = 0x40018;
const ROSC = 0x40060;
const VREG = 0x40064;
const SSI = 0x18000;
const WATCHDOG = 0x40058;
const RANDOM_BIT = 0x1c;
const ROSC_STATUS = 0x18;
const ROSC_STABLE = 0x80001000;
const SSI_DATA = 0x60;
const READ_UNIQUE_ID = 0x4b;
const UNIQUE_ID = [0, 0, 0, 0, 0, 0xe6, 0x61, 0x64, 0x08, 0x43, 0x5c, 0x7a, 0x2f]; // after five bytes of the command
const FIFO_STATUS = 0x50; // between the cores
const FIFO_READ = 0x58;
const FIFO_VALID = 1;
const FIFO_READY = 2;
const FORCE_OFF = 4; // of the power-on state machine
const CORE_1 = 1 << 16;
const USB_PHY = [0x7c, 0x80];
const SYSTEM_CONTROL = 0xd10; // of the core's private peripherals
const RTC = 0x4005c;
const RTC_DIVIDER = 0;
const PSM = 0x40010;

// Registers that keep what is written
class Registers extends BasePeripheral {
  values = new Map();
  readUint32(offset) { return this.values.get(offset) ?? 0; }
  writeUint32(offset, value) { this.values.set(offset, value); }
}

class RingOscillator extends Registers {
  constructor(mcu, drawBit) {
    super(mcu, 'ROSC');
    this.drawBit = drawBit;
  }
  readUint32(offset) {
    if (offset === ROSC_STATUS) return ROSC_STABLE;
    return offset === RANDOM_BIT ? this.drawBit() : super.readUint32(offset);
  }
}

// Return a function that draws random bits: others for each content of the flash, the same ones in each run
export function randomBits(content) {
  let state = content.reduce((hash, byte) => Math.imul(hash ^ byte, 16777619), 2166136261);
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 31;
  };
}

// `watchdog` is that of before the reset: its reason and its scratch registers outlive one
export function completePeripherals(mcu, drawBit, watchdog) {
  mcu.peripherals[QSPI_PADS] = new Registers(mcu, 'IO_QSPI');
  mcu.peripherals[ROSC] = new RingOscillator(mcu, drawBit);
  mcu.peripherals[VREG] = new Registers(mcu, 'VREG_AND_CHIP_RESET');
  if (watchdog) {
    mcu.peripherals[WATCHDOG].reason = watchdog.reason;
    mcu.peripherals[WATCHDOG].scratchData.set(watchdog.scratchData);
  }
  keepRegisters(mcu.usbCtrl, USB_PHY);
  keepRegisters(mcu.ppb, [SYSTEM_CONTROL]);
  keepRegisters(mcu.peripherals[RTC], [RTC_DIVIDER]);
  answerUniqueId(mcu.peripherals[SSI]);
  answerForCore1(mcu);
  readOutputs(mcu);
}

// Let these registers keep what is written, without any effect
function keepRegisters(peripheral, offsets) {
  const values = new Map(offsets.map((offset) => [offset, 0]));
  const { readUint32: read, writeUint32: write } = Object.getPrototypeOf(peripheral);
  peripheral.readUint32 = (offset) => values.get(offset) ?? read.call(peripheral, offset);
  peripheral.writeUint32 = (offset, value) => {
    if (values.has(offset)) values.set(offset, value);
    else write.call(peripheral, offset, value);
  };
}

function answerUniqueId(ssi) {
  let answer = [];
  const { readUint32: read, writeUint32: write } = Object.getPrototypeOf(ssi);
  ssi.writeUint32 = (offset, value) => {
    if (offset === SSI_DATA && value === READ_UNIQUE_ID) answer = [...UNIQUE_ID];
    write.call(ssi, offset, value);
  };
  ssi.readUint32 = (offset) => (offset === SSI_DATA && answer.length ? answer.shift() : read.call(ssi, offset));
}

// There is only core 0; when it resets core 1, it waits for the 0 that core 1 sends at its start
function answerForCore1(mcu) {
  let isSent = false;
  const { readUint32: read } = Object.getPrototypeOf(mcu.sio);
  mcu.sio.readUint32 = (offset) => {
    if (offset === FIFO_STATUS) return FIFO_READY | (isSent ? FIFO_VALID : 0);
    if (offset !== FIFO_READ) return read.call(mcu.sio, offset);
    isSent = false;
    return 0;
  };
  const psm = mcu.peripherals[PSM];
  const { writeUint32: write } = Object.getPrototypeOf(psm);
  psm.writeUint32 = (offset, value) => {
    const wasOff = psm.readUint32(FORCE_OFF) & CORE_1;
    write.call(psm, offset, value);
    if (wasOff && !(psm.readUint32(FORCE_OFF) & CORE_1)) isSent = true;
  };
}

// An output's level can be read as an input's can
function readOutputs(mcu) {
  Object.defineProperty(mcu, 'gpioValues', {
    get: () =>
      mcu.gpio.reduce((word, pin) => {
        const isHigh = pin.outputEnable ? pin.value === GPIOPinState.High : pin.inputValue;
        return isHigh ? word | (1 << pin.index) : word;
      }, 0),
  });
}
