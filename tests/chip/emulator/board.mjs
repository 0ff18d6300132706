// One board: a Raspberry Pi Pico with its flash, buttons and lamps, from power-on to power-off.

import { GPIOPinState, RP2040 } from 'rp2040js';
import { SimulationClock } from './node_modules/rp2040js/dist/esm/clock/simulation-clock.js';
import { call, ENDLESS_LOOP, rom } from './boot_rom.mjs';
import { ERASE_MS } from './flash.mjs';
import { Core } from './core.mjs';
import { completePeripherals, randomBits } from './peripherals.mjs';
import { UsbHost } from './usb_host.mjs';

const IMAGE_AT = 0x10000000;
const WATCHDOG = 0x40058;

export class Board {
  // `pins` are { pulledUp: those of buttons, watched: those of lamps }; `tell` is called with each event
  constructor(flash, pins, port, tell) {
    this.flash = flash;
    this.pins = pins;
    this.port = port;
    this.tell = (event, more = {}) => tell({ event, at: this.nowMs(), ...more });
    this.levels = Object.fromEntries(pins.pulledUp.map((pin) => [pin, true]));
    this.mcu = null;
    this.drawBit = null;
    this.isOn = false;
    this.wanted = null; // the kind of reset that waits for the end of an instruction
    this.busyNanos = 0; // of earlier resets since `clearFigures`
    this.nanosBefore = 0; // time goes on over resets and power cuts
    this.steps = []; // of fingers: { at, pin, level }
  }

  nowMs() {
    return (this.nanosBefore + (this.mcu ? this.mcu.clock.nanos : 0)) / 1e6;
  }

  powerOn() {
    this.flash.load();
    this.drawBit ??= randomBits(this.flash.bytes); // a restart goes on drawing, as no two draw the same
    this.isOn = true;
    this.start('power', null);
  }

  powerOff() {
    if (!this.isOn) return;
    this.flash.save();
    this.isOn = false;
    this.end();
    this.steps = [];
    for (const pin of this.pins.pulledUp) this.setLevel(pin, true); // nobody goes on pressing
    this.tell('off');
  }

  end() {
    this.port.disconnected();
    this.usb = null;
    this.nanosBefore += this.mcu.clock.nanos;
    this.busyNanos += this.mcu.core.busyNanos;
    this.mcu = null;
  }

  start(kind, watchdog) {
    const mcu = new RP2040(new SimulationClock());
    mcu.logger = this.strictLogger();
    mcu.loadBootrom(rom);
    mcu.flash = this.flash.bytes;
    mcu.flash16 = new Uint16Array(mcu.flash.buffer);
    mcu.flashView = new DataView(mcu.flash.buffer);
    mcu.core = new Core(mcu);
    mcu.core.reset();
    mcu.core.PC = IMAGE_AT;
    mcu.onBreak = (code) => this.onBreak(code);
    completePeripherals(mcu, this.drawBit, watchdog);
    const watchdogNow = mcu.peripherals[WATCHDOG];
    watchdogNow.onWatchdogTrigger = () => {
      watchdogNow.alarm.enable = false; // rp2040js would call this again at once, without end
      this.reset('watchdog');
    };
    this.mcu = mcu;
    this.lamps = Object.fromEntries(this.pins.watched.map((pin) => [pin, false]));
    for (const [pin, level] of Object.entries(this.levels)) mcu.gpio[pin].setInputValue(level);
    for (const pin of this.pins.watched) mcu.gpio[pin].addListener((state) => this.onLamp(pin, state));
    this.usb = new UsbHost(mcu, this.port);
    this.tell('start', { kind });
    for (const step of this.steps) this.arm(step);
  }

  // rp2040js only warns of what the chip would not do; here that ends the board
  strictLogger() {
    const halt = (name, message) => this.halt(`${name}: ${message}`);
    const ignore = () => {};
    return { debug: ignore, info: ignore, warn: halt, error: halt };
  }

  onLamp(pin, state) {
    const isLit = state === GPIOPinState.High;
    if (isLit === this.lamps[pin]) return;
    this.lamps[pin] = isLit;
    this.tell('lamp', { pin, on: isLit });
  }

  // Return the cycles that it takes, or 0 if the clock was moved
  onBreak(code) {
    const cycles = call(this, this.mcu, code);
    if (cycles === null) this.halt(`break ${code}, called from ${this.mcu.core.LR.toString(16)}`);
    return cycles ?? 0;
  }

  // Interrupts are masked meanwhile, as the port does; a cut ends it in the midst
  flashOperation(work) {
    const ms = work(this.flash);
    if (ms === null) this.reset('cut');
    else {
      if (ms >= ERASE_MS) this.tell('erase', { ms });
      this.mcu.clock.tick(ms * 1e6);
    }
  }

  reset(kind) {
    this.wanted = kind;
    this.mcu.core.stop();
  }

  halt(reason) {
    this.tell('halt', { reason });
    this.reset('halt');
  }

  // A button is pressed (its level goes low) or let go
  setLevel(pin, level) {
    if (level === this.levels[pin]) return;
    this.levels[pin] = level;
    if (this.isOn) this.mcu.gpio[pin].setInputValue(level);
    this.tell('button', { pin, on: !level });
  }

  // Have fingers change levels after some ms; a reset does not stop them
  addSteps(steps) {
    this.checkOn();
    const now = this.nowMs();
    for (const [ms, pin, level] of steps) {
      const step = { at: now + ms, pin, level };
      this.steps.push(step);
      this.arm(step);
    }
    return now;
  }

  arm(step) {
    const work = () => {
      this.steps.splice(this.steps.indexOf(step), 1);
      this.setLevel(step.pin, step.level);
    };
    this.mcu.clock.createAlarm(work).schedule(Math.max(1, (step.at - this.nowMs()) * 1e6));
  }

  checkOn() {
    if (!this.isOn) throw new Error('the board is off');
  }

  // Let the processor do nothing any more, deaf to interrupts
  hang() {
    this.checkOn();
    this.mcu.core.PM = true;
    this.mcu.core.waiting = false;
    this.mcu.core.PC = ENDLESS_LOOP;
  }

  run(nanos) {
    this.mcu.core.run(this.mcu.clock.nanos + nanos);
    const kind = this.wanted;
    this.wanted = null;
    if (kind === 'watchdog') {
      const watchdog = this.mcu.peripherals[WATCHDOG];
      this.tell('reset', { forced: watchdog.reason === 2 });
      this.end();
      this.start('watchdog', watchdog);
    } else if (kind) this.powerOff();
  }

  figures() {
    const busyMs = (this.busyNanos + (this.mcu ? this.mcu.core.busyNanos : 0)) / 1e6;
    return { ...this.flash.figures, cpuMs: busyMs, now: this.nowMs() };
  }

  clearFigures() {
    this.flash.clearFigures();
    this.busyNanos = 0;
    if (this.mcu) this.mcu.core.busyNanos = 0;
  }
}
