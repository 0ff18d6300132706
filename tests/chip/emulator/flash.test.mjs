// The flash behaves as the chip does, also when it fails.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Flash, SECTOR, SIZE } from './flash.mjs';

function made() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'flash-'));
  const flash = new Flash(path.join(folder, 'flash.img'));
  flash.load();
  return flash;
}
const page = (value) => new Uint8Array(256).fill(value);

test('programming clears bits, erasing sets them, and both take their time', () => {
  const flash = made();
  assert.equal(flash.program(0, page(0xf0)), 0.4);
  assert.equal(flash.program(0, page(0x0f)), 0.4);
  assert.equal(flash.bytes[0], 0);
  assert.equal(flash.figures.notErased, 1);
  assert.equal(flash.erase(0, SECTOR), 45);
  assert.equal(flash.bytes[0], 0xff);
  assert.equal(flash.bytes[SECTOR], 0xff);
  assert.throws(() => flash.erase(SIZE, SECTOR), /beyond the chip/);
});

test('content outlives power', () => {
  const flash = made();
  flash.program(SECTOR, page(0x5a));
  flash.save();
  const again = new Flash(flash.path);
  again.load();
  assert.equal(again.bytes[SECTOR + 255], 0x5a);
  assert.equal(again.bytes[SECTOR + 256], 0xff);
});

test('protected flash and bad sectors take their time and change nothing', () => {
  const flash = made();
  flash.faults.bad = [1];
  assert.equal(flash.program(SECTOR, page(0)), 0.4);
  assert.equal(flash.bytes[SECTOR], 0xff);
  flash.program(0, page(0));
  flash.faults.protected = true;
  assert.equal(flash.erase(0, SECTOR), 45);
  assert.equal(flash.bytes[0], 0);
});

test('power fails in the operation that was named, when a share of it is done', () => {
  const flash = made();
  flash.cut = { operation: 2, share: 0.5 };
  assert.equal(flash.program(0, page(0)), 0.4);
  assert.equal(flash.program(256, page(0)), null);
  assert.deepEqual([flash.bytes[256 + 127], flash.bytes[256 + 128]], [0, 0xff]);
  assert.equal(flash.program(512, page(0)), 0.4);
});
