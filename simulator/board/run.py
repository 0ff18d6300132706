"""Starts a simulated board's process: sets the board up, then runs boot.py and main.py as the board would.

MICROPYPATH=.frozen:.../simulator/board micropython run.py INCOMING OUTGOING   (numbers of two open pipes)
"""

import errno
import os
import sys

import utime
import vfs
import wires

names = {"__name__": "__main__"}  # the globals of both files and then of the REPL, as on a board

FOLDER = 0x4000  # the kind in `os.ilistdir`
HOST = "/sim"  # where a board whose own filesystem is at the root has the host's


def main():
    """Set up and run; then wait for a reset or the watchdog, as a board does in its REPL."""
    wires.connect(int(sys.argv[1]), int(sys.argv[2]))
    del sys.argv[:]
    load_stand_ins()
    wires.start()
    mount_flash()
    wires.ready()
    root = ""  # as on a board: the current folder, which is the flash's root
    if wires.config["installed"]:
        sys.path[:] = [root, ".frozen"]
    else:
        root = at_host(wires.config["firmware"]) + "/"
        sys.path[:] = [".frozen", root[:-1]]
    bare, raw = wires.config.get("bare"), wires.config.get("raw")
    if bare:
        vfs.umount(HOST)  # from here on the board sees only its own files
    ended = None
    for name in ("boot.py",) if raw else ("boot.py", "main.py"):
        ended = ended or run(root + name, needed=not bare)
    wires.tell("ended", ended)
    if bare:
        serve_repl(raw)
    wires.at_work()
    while True:
        utime.sleep(1)


def serve_repl(raw):
    """Serve the REPL until a soft reset."""
    repl = sys.modules["repl"]
    wires.tell("raw", repl.serve(names, raw))
    repl.say(b"MPY: soft reboot\r\n")
    wires.end(wires.SOFT_RESET)


def load_stand_ins():
    """Load all stand-ins, so that the firmware finds them instead of what is built in."""
    import asyncio_queue
    import clockwork

    clockwork.begin(wires.board, wires.config["ticks_ms"])

    asyncio_queue.between = wires.do_errand
    sys.modules["_asyncio"] = asyncio_queue
    import asyncio  # noqa: F401

    import hurry  # noqa: F401
    import machine  # noqa: F401

    if wires.board != "pico":
        import air
        import network  # noqa: F401

        sys.modules["socket"] = air

    if wires.config.get("bare"):
        import repl

        repl.begin()


def mount_flash():
    """Mount the board's filesystem; on a fresh flash, make it with the console's configuration.

    A filesystem that can't be mounted is left as it is: the firmware has to work without.
    """
    import flash_faults  # while the host's files are where they were
    import flash_files
    import port_flash
    import stock_files

    config = wires.config["flash"]
    flash = open_flash(config)
    port_flash.begin(flash, wires.config["rom"])
    if wires.config["rom"]:
        port_flash.freeze_guard(wires.config["firmware"])
    root = "/"
    if wires.board == "unix":
        root = "/flash"
    else:
        vfs.umount("/")
        vfs.mount(vfs.VfsPosix("/"), HOST)
    flash_faults.begin(flash, root, wires.config["cut"], wires.config["wear"])
    flash_files.begin(root)
    try:
        vfs.mount(vfs.VfsLfs2(flash, progsize=config["prog_size"]), root)
        os.chdir(root)
        write_files(root.rstrip("/"))
    except OSError as error:
        if wires.config.get("bare") and not wires.config["rom"]:
            stock_files.without_filesystem(flash, config["prog_size"], error)
        else:
            print("flash:", error)  # noqa: T201 - as a board does


def open_flash(config):
    """Return the flash; a new file gets its name only when a filesystem and the configuration are on it."""
    from flash import Flash

    path, size, prog_size = config["path"], config["size"], config["prog_size"]
    try:
        os.stat(path)
    except OSError:
        new = path + ".new"
        try:
            os.remove(new)
        except OSError:
            pass  # there was none
        flash = Flash(new, size, prog_size)
        vfs.VfsLfs2.mkfs(flash, progsize=prog_size)
        vfs.mount(vfs.VfsLfs2(flash, progsize=prog_size), "/new")
        write_files("/new")
        if wires.config["installed"] and not wires.config.get("bare"):
            install(wires.config["firmware"], "/new")
        vfs.umount("/new")
        flash.close()
        os.rename(new, path)
    return Flash(path, size, prog_size)


def write_files(root):
    """Write the console's configuration as a technician would: the files that are missing or differ."""
    for name, text in wires.config["files"].items():
        path = root + "/" + name
        try:
            with open(path) as file:
                same = file.read() == text
        except OSError:
            same = False
        if not same:
            with open(path, "w") as file:
                file.write(text)


def install(source, target):
    """Copy a folder of the host onto the flash, as `mpremote fs cp -r` does."""
    for name, kind, *_ in os.ilistdir(source):
        paths = source + "/" + name, target + "/" + name
        if kind == FOLDER:
            os.mkdir(paths[1])
            install(*paths)
        else:
            with open(paths[0], "rb") as file, open(paths[1], "wb") as copy:
                copy.write(file.read())


def at_host(path):
    """Return a path of the host as this board sees it."""
    return path if wires.board == "unix" else HOST + path


def run(path, needed):
    """Run one file as the board does; return the error that ended it, as text, or None."""
    try:
        with open(path) as file:
            code = compile(file.read(), path, "exec")
        exec(code, names)  # noqa: S102 - a board runs code
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV) and (path.endswith("boot.py") or not needed):
            return None
        return report(error)
    except SystemExit:
        wires.end(wires.SOFT_RESET)
    except KeyboardInterrupt as error:  # by a technician, so it is not a fault
        report(error)
    except Exception as error:
        return report(error)
    return None


def report(error):
    """Print the traceback, as a board's REPL does; return the error as text."""
    sys.print_exception(error)
    return repr(error)


main()
