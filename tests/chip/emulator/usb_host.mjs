// The host's end of the USB cable: it finds the board's serial port (CDC ACM) and moves its bytes. The port's user
// says whether it is open, which the board sees as DTR.

const SET_ADDRESS = [0, 5, 1, 0, 0, 0, 0, 0];
const SET_CONFIGURATION = [0, 9, 1, 0, 0, 0, 0, 0];
const getConfiguration = (length) => [0x80, 6, 0, 2, 0, 0, length & 0xff, length >> 8];
const setLineState = (isOpen) => [0x21, 0x22, isOpen ? 3 : 0, 0, 0, 0, 0, 0];
const HEADER_BYTES = 9;
const INTERFACE = 4;
const ENDPOINT = 5;
const CDC_DATA = 10;
const BULK = 2;
const PACKET_BYTES = 64;
const READ_DELAY_US = 40;
const FRAME_NANOS = 1e6;
const SOF_RD = 0x48; // registers and bits of the chip's USB controller
const INTE = 0x90;
const DEV_SOF = 1 << 17;
const AVAILABLE = 1 << 10;
const IN_BUFFER_CONTROL = 0x80;

export class UsbHost {
  // `port` has takes(): whether there is room, write(bytes) and connected()
  constructor(mcu, port) {
    this.mcu = mcu;
    this.port = port;
    this.usb = mcu.usbCtrl;
    this.requests = [];
    this.answer = [];
    this.in = -1;
    this.out = -1;
    this.isConnected = false;
    this.isOpen = false;
    this.toBoard = [];
    this.waitingIn = null; // a packet of the board's that the port has no room for yet
    this.waitingOut = 0; // how much the board is ready to take
    this.usb.onUSBEnabled = () => this.usb.resetDevice();
    this.usb.onResetReceived = () => this.enumerate();
    this.usb.onEndpointWrite = (endpoint, bytes) => this.fromBoard(endpoint, bytes);
    this.usb.onEndpointRead = (endpoint, size) => {
      if (endpoint === this.out) {
        this.waitingOut = size;
        this.pumpToBoard();
      }
    };
    this.holdPacketsWithoutRoom();
    this.countFrames();
  }

  // Have the board wait, as a host does that takes no more
  holdPacketsWithoutRoom() {
    const update = this.usb.DPRAMUpdated.bind(this.usb);
    this.usb.DPRAMUpdated = (offset, value) => {
      const isPacket = this.in > 0 && offset === IN_BUFFER_CONTROL + this.in * 8 && value & AVAILABLE;
      if (isPacket && !this.takes()) this.waitingIn = () => update(offset, value);
      else update(offset, value);
    };
  }

  // Start of frame each millisecond, for whoever asks for that interrupt; rp2040js has it for hosts only
  countFrames() {
    const { usb, mcu } = this;
    const raise = (isUp) => {
      if (isUp) usb.intRaw |= DEV_SOF;
      else usb.intRaw &= ~DEV_SOF;
      usb.checkInterrupts();
    };
    let isWanted = false;
    const frame = mcu.clock.createAlarm(() => {
      raise(true);
      frame.schedule(FRAME_NANOS);
    });
    const write = usb.writeUint32.bind(usb);
    usb.writeUint32 = (offset, value) => {
      write(offset, value);
      if (offset !== INTE || isWanted === Boolean(usb.intEnable & DEV_SOF)) return;
      isWanted = !isWanted;
      if (isWanted) frame.schedule(FRAME_NANOS);
      else {
        frame.cancel();
        raise(false);
      }
    };
    const read = usb.readUint32.bind(usb);
    usb.readUint32 = (offset) => {
      if (offset !== SOF_RD) return read(offset);
      raise(false);
      return Math.floor(mcu.clock.nanos / FRAME_NANOS) & 0x7ff;
    };
  }

  takes() {
    return this.isOpen && this.port.takes();
  }

  request(packet, wanted, done) {
    this.requests.push({ packet, wanted, done });
    if (this.requests.length === 1) this.send();
  }

  send() {
    this.answer = [];
    this.usb.sendSetupPacket(Uint8Array.from(this.requests[0].packet));
  }

  finish() {
    this.requests[0].done(this.answer); // it may add requests, which come later
    this.requests.shift();
    if (this.requests.length) this.send();
  }

  enumerate() {
    this.request(SET_ADDRESS, 0, () =>
      this.request(getConfiguration(HEADER_BYTES), HEADER_BYTES, (header) => {
        const length = header[2] | (header[3] << 8);
        this.request(getConfiguration(length), length, (descriptors) => {
          this.findEndpoints(descriptors);
          this.request(SET_CONFIGURATION, 0, () => {
            this.isConnected = true;
            this.port.connected();
          });
        });
      }),
    );
  }

  findEndpoints(descriptors) {
    let isData = false;
    for (let at = 0; at < descriptors.length && descriptors[at] > 1; at += descriptors[at]) {
      const kind = descriptors[at + 1];
      if (kind === INTERFACE) isData = descriptors[at + 4] === 2 && descriptors[at + 5] === CDC_DATA;
      if (kind !== ENDPOINT || !isData || (descriptors[at + 3] & 3) !== BULK) continue;
      const address = descriptors[at + 2];
      if (address & 0x80) this.in = address & 15;
      else this.out = address & 15;
    }
  }

  fromBoard(endpoint, bytes) {
    if (endpoint === this.in && bytes.length) this.port.write(bytes);
    if (endpoint !== 0 || !this.requests.length) return;
    this.answer.push(...bytes);
    if (this.answer.length >= this.requests[0].wanted) later(this.mcu, () => this.finish());
  }

  // The port's user opens or closes it
  setOpen(isOpen) {
    if (!this.isConnected || isOpen === this.isOpen) return;
    this.isOpen = isOpen;
    this.request(setLineState(isOpen), 0, () => {});
    this.pumpFromBoard();
  }

  pumpFromBoard() {
    if (!this.waitingIn || !this.takes()) return;
    const packet = this.waitingIn;
    this.waitingIn = null;
    packet();
  }

  write(bytes) {
    this.toBoard.push(...bytes);
    this.pumpToBoard();
  }

  pumpToBoard() {
    if (!this.waitingOut || !this.toBoard.length) return;
    const count = Math.min(this.waitingOut, this.toBoard.length, PACKET_BYTES);
    this.waitingOut = 0;
    this.usb.endpointReadDone(this.out, Uint8Array.from(this.toBoard.splice(0, count)), READ_DELAY_US);
  }
}

// Not from within rp2040js' own call
function later(mcu, work) {
  mcu.clock.createAlarm(work).schedule(1000);
}
