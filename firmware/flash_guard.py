"""Mount the flash through a guard, so that failing flash can't hold the console up.

LittleFS answers a failed write by trying one free block after the other, within one call. A chip that is worn out or
write-protected takes its full time for each: 350 erases last 16 s, in which no button is seen and the watchdog restarts
the board. The guard reads back what it has programmed. A bad block is LittleFS's own affair, as it takes another one.
After some failures in a row, or if operations take far longer than a chip's maker allows, the guard refuses all writes
at once until the next start, and the console works from RAM. `is_slow` says that it should not be read either.

LittleFS reads by the port's own method, as one append reads 30 to 200 times, and compacting a folder takes up to 6,000
reads within one call. So that a slow chip is found before such a call, `probe` measures reading: at mounting, after
each erase, when a read-back was slow, and whenever the console asks, as it does before each change and twice a second.

Nothing replaces this module over the air. Nothing here formats.
"""

import time

import vfs
from micropython import const

_STRIKES_MAX = const(8)  # in a row, of one kind
_FAILED = const(1)  # … that a failed operation counts, or a slow or failed read
_VERY_SLOW_READ = const(2)
_SLOW_WRITE = const(4)
_WRITE_MS = const(500)  # the slowest healthy chips take 400 ms for an erase
_READ_MS = const(2)  # … and far below 1 ms for what is read at once; another task may delay a read or two
_VERY_SLOW_READ_MS = const(10)
_BLOCK_COUNT = const(4)  # requests to ioctl
_ERASE = const(6)
_EIO = const(-5)
_TRY_ANOTHER_BLOCK = const(-84)  # LittleFS's word for a corrupt block
_RP2_PROG_SIZE = const(256)
_ESP32_PROG_SIZE = const(32)

guard = None  # of the mounted filesystem


class FlashGuard:
    """A block device that passes everything on to `device`, of which LittleFS programs `prog_size` bytes at once.

    It returns error codes and raises nothing: an exception would leave LittleFS in the middle of its work.
    """

    def __init__(self, device, prog_size):
        self.readblocks = device.readblocks
        self._device = device
        self._copy = memoryview(bytearray(4 * prog_size))  # as large as LittleFS's cache
        self._programs = self._erases = 0  # strikes in a row
        self._probed = 0  # the block that was read last, another one each time, as an RP2040 caches what it reads
        self._block_count = device.ioctl(_BLOCK_COUNT, 0)
        self.refuses = self.is_slow = False

    def probe(self):
        """Read until a read is fast, or too many in a row were slow or failed."""
        strikes = 0
        while not self.is_slow:
            self._probed = (self._probed + 1) % self._block_count
            try:
                took_ms = self._read(self._probed, self._copy, 0)
            except OSError:
                took_ms = _READ_MS + 1
            if took_ms <= _READ_MS:
                return
            strikes += _VERY_SLOW_READ if took_ms > _VERY_SLOW_READ_MS else _FAILED
            if strikes >= _STRIKES_MAX:
                self.refuses = self.is_slow = True

    def writeblocks(self, block, buffer, offset):
        """Program whole pages, and check them."""
        if self.refuses:
            return _EIO
        began_ms = time.ticks_ms()
        try:
            is_right = not self._device.writeblocks(block, buffer, offset)
        except OSError:
            is_right = False
        took_ms = time.ticks_diff(time.ticks_ms(), began_ms)
        is_right = is_right and self._holds(block, buffer, offset)
        self._programs = self._judge(self._programs, is_right, took_ms)
        return 0 if is_right else _TRY_ANOTHER_BLOCK

    def ioctl(self, request, argument):
        """Erase a block, or answer another request. Whether it is erased shows when it is programmed."""
        if request != _ERASE:
            return self._device.ioctl(request, argument)
        if self.refuses:
            return _EIO
        began_ms = time.ticks_ms()
        try:
            is_right = not self._device.ioctl(request, argument)
        except OSError:
            is_right = False
        self._erases = self._judge(self._erases, is_right, time.ticks_diff(time.ticks_ms(), began_ms))
        self.probe()  # LittleFS reads a whole folder before it programs this block
        if self.refuses:
            return _EIO
        return 0 if is_right else _TRY_ANOTHER_BLOCK

    def _holds(self, block, buffer, offset):
        """Return whether the flash holds what was programmed."""
        copy = self._copy if len(buffer) == len(self._copy) else self._copy[: len(buffer)]
        try:
            took_ms = self._read(block, copy, offset)
        except OSError:
            return False
        is_right = copy == buffer
        if took_ms > _READ_MS:
            self.probe()
        return is_right

    def _read(self, block, buffer, offset):
        """Read; return how many milliseconds that took."""
        began_ms = time.ticks_ms()
        self.readblocks(block, buffer, offset)
        return time.ticks_diff(time.ticks_ms(), began_ms)

    def _judge(self, strikes, is_right, took_ms):
        """Return the strikes in a row after this operation; from too many on, refuse."""
        if took_ms > _WRITE_MS:
            strikes += _SLOW_WRITE
        elif not is_right:
            strikes += _FAILED
        else:
            strikes = 0
        self.refuses = self.refuses or strikes >= _STRIKES_MAX
        return strikes


def port_device():
    """Return the port's block device for the filesystem, and how many bytes LittleFS programs at once there."""
    try:
        from rp2 import Flash  # pyright: ignore[reportMissingImports] - of the RP2040's port

        return Flash(), _RP2_PROG_SIZE
    except ImportError:
        pass
    try:
        from flashbdev import bdev  # pyright: ignore[reportMissingImports] - of the ESP32's port

        return bdev, _ESP32_PROG_SIZE
    except ImportError:
        return None, 0


def mount():
    """Mount the filesystem at the root through a guard, in place of how the port has mounted it.

    If it can't be mounted, it is left as it is.
    """
    global guard
    device, prog_size = port_device()
    if device is None or guard is not None:
        return
    guard = FlashGuard(device, prog_size)
    guard.probe()
    try:
        filesystem = vfs.VfsLfs2(guard, progsize=prog_size)  # pyright: ignore[reportArgumentType]
    except OSError:
        return
    try:
        vfs.umount("/")
    except OSError:
        pass  # the port had mounted nothing
    vfs.mount(filesystem, "/")
