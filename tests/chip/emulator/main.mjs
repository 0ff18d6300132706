// Run a board: node main.mjs --flash FILE --serial-in FD --serial-out FD --pulled-up PINS --watched PINS
// Standard input: commands, a JSON object a line. Standard output: their answers, and events. README.md lists them.

import net from 'node:net';
import readline from 'node:readline';
import { parseArgs } from 'node:util';
import { Board } from './board.mjs';
import { Flash } from './flash.mjs';

const SLICE_NANOS = 1e6;
const AHEAD_MS = 1; // emulated time may be this much ahead of the wall's
const BEHIND_MS = 50; // what is lost beyond this is not caught up
const OUT_BYTES = 2048; // on the way to whoever reads the port

const names = ['flash', 'serial-in', 'serial-out', 'pulled-up', 'watched'];
const { values: options } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) });
const pinsOf = (text) => text.split(',').map(Number);
const say = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);

let board = null;
let isFree = false; // as fast as possible, not at the wall's pace
let wallAt = 0;
let emulatedAt = 0;
let underWay = 0;
const waits = []; // { until, answer }

const serialIn = new net.Socket({ fd: Number(options['serial-in']), readable: true, writable: false });
const serialOut = new net.Socket({ fd: Number(options['serial-out']), readable: false, writable: true });
const port = {
  takes: () => underWay < OUT_BYTES,
  write: (bytes) => {
    underWay += bytes.length;
    serialOut.write(bytes, () => {
      underWay -= bytes.length;
      board.usb?.pumpFromBoard();
    });
  },
  connected: () => board.tell('connected'),
  disconnected: () => board.tell('disconnected'),
};
serialIn.on('data', (bytes) => {
  if (board.usb?.isConnected) board.usb.write(bytes);
});

const flash = new Flash(options.flash);
board = new Board(flash, { pulledUp: pinsOf(options['pulled-up']), watched: pinsOf(options.watched) }, port, say);

const commands = {
  on: () => board.powerOn(),
  off: () => board.powerOff(),
  open: ({ isOpen }) => board.usb?.setOpen(isOpen),
  // `steps` are [after how many ms, pin, level]
  buttons: ({ steps }) => ({ now: board.addSteps(steps) }),
  hang: () => board.hang(),
  faults: (faults) => {
    const unknown = Object.keys(faults).filter((name) => !(name in flash.faults));
    if (unknown.length) throw new Error(`unknown fault ${unknown}`);
    Object.assign(flash.faults, faults);
  },
  cut: ({ operation, share }) => { flash.cut = { operation, share }; },
  pace: ({ free }) => {
    isFree = free;
    wallAt = 0;
  },
  figures: () => board.figures(),
  clear: () => board.clearFigures(),
};

function obey(line) {
  const { id, do: name, ...rest } = JSON.parse(line);
  try {
    if (name === 'wait') {
      board.checkOn();
      waits.push({ until: board.nowMs() + rest.ms, id });
      return;
    }
    if (!(name in commands)) throw new Error(`unknown command ${name}`);
    say({ id, ...commands[name](rest) });
  } catch (error) {
    say({ id, error: error.message });
  }
}

function answerWaits() {
  const now = board.nowMs();
  for (let i = waits.length - 1; i >= 0; i--) {
    if (board.isOn && waits[i].until > now) continue;
    const { id, until } = waits.splice(i, 1)[0];
    say(until > now ? { id, error: 'the board is off' } : { id, now });
  }
}

function pause() {
  if (isFree) return 0;
  const now = performance.now();
  const ahead = board.nowMs() - emulatedAt - (now - wallAt);
  if (!wallAt || ahead < -BEHIND_MS) {
    wallAt = now;
    emulatedAt = board.nowMs();
    return 0;
  }
  return ahead > AHEAD_MS ? ahead : 0;
}

function loop() {
  if (!board.isOn) {
    wallAt = 0;
    setTimeout(loop, 5);
    return;
  }
  const ms = pause();
  if (ms) {
    setTimeout(loop, ms);
    return;
  }
  board.run(SLICE_NANOS);
  if (waits.length) answerWaits();
  setImmediate(loop);
}

readline.createInterface({ input: process.stdin }).on('line', obey).on('close', () => {
  board.powerOff();
  process.exit(0);
});
loop();
