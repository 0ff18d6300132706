"""Does what MicroPython's own start-up files (`_boot.py`, `inisetup.py`) do if the filesystem can't be mounted."""

import utime
import vfs
import wires

_ESP32_SAYS = (
    "The filesystem starting at sector 512 with size 512 sectors appears to be corrupted. If you had important data "
    "there, you may want to make a flash snapshot to try to recover it. Otherwise, perform factory reprogramming of "
    "MicroPython firmware (completely erase flash, followed by firmware programming)."
)


def without_filesystem(flash, prog_size, error):
    """Format the flash of an RP2040, whatever is on it; an ESP32 prints a warning until Ctrl-C."""
    if wires.rp2:
        vfs.VfsLfs2.mkfs(flash, progsize=prog_size)
        vfs.mount(vfs.VfsLfs2(flash, progsize=prog_size), "/")
        return
    wires.ready()
    wires.at_work()
    try:
        while True:
            print(_ESP32_SAYS, error)  # noqa: T201 - as that board does
            utime.sleep(3)
    except KeyboardInterrupt:
        pass  # to the prompt
