// The flash chip: a Winbond W25Q16JV of 2 MiB, whose content stays in a file while the board is off. Times are the
// typical ones of its datasheet; programming only clears bits. It can fail in the ways in which such chips fail.

import fs from 'node:fs';

export const SIZE = 2 * 1024 * 1024;
export const SECTOR = 4096;
const PAGE = 256;
export const ERASE_MS = 45; // a sector
const PROGRAM_MS = 0.4; // a page

export class Flash {
  constructor(path) {
    this.path = path;
    this.bytes = new Uint8Array(SIZE);
    this.faults = { protected: false, bad: [], slowReads: 1 };
    this.cut = null; // { operation: number of the operation in which power fails, share: how much of it is done }
    this.clearFigures();
  }

  clearFigures() {
    this.figures = { erases: 0, programs: 0, notErased: 0, busyMs: 0 };
  }

  load() {
    this.bytes.fill(0xff);
    if (fs.existsSync(this.path)) this.bytes.set(fs.readFileSync(this.path).subarray(0, SIZE));
  }

  save() {
    fs.writeFileSync(`${this.path}.new`, this.bytes);
    fs.renameSync(`${this.path}.new`, this.path);
  }

  // Both return how long it takes in ms, or null if power fails in the midst
  erase(offset, length) {
    const ms = (ERASE_MS * length) / SECTOR;
    this.figures.erases += length / SECTOR;
    return this.change(offset, length, ms, (end) => this.bytes.fill(0xff, offset, end));
  }

  program(offset, data) {
    const ms = (PROGRAM_MS * data.length) / PAGE;
    this.figures.programs += data.length / PAGE;
    return this.change(offset, data.length, ms, (end) => {
      let isClean = true;
      for (let at = offset; at < end; at++) {
        if ((this.bytes[at] & data[at - offset]) !== data[at - offset]) isClean = false;
        this.bytes[at] &= data[at - offset];
      }
      if (!isClean) this.figures.notErased++;
    });
  }

  change(offset, length, ms, work) {
    if (offset + length > SIZE) throw new Error(`flash operation at ${offset}, ${length} bytes: beyond the chip`);
    const isCut = this.cut !== null && --this.cut.operation <= 0;
    const works = !this.faults.protected && !this.faults.bad.includes(Math.floor(offset / SECTOR));
    if (works) work(offset + (isCut ? Math.floor(length * this.cut.share) : length));
    this.figures.busyMs += ms;
    if (!isCut) return ms;
    this.cut = null;
    return null;
  }
}
