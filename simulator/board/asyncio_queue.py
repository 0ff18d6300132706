"""asyncio's queue of tasks, in Python: the built-in one reads the host's clock, which the simulator can't step.

`run.py` puts this module in the place of `_asyncio` before asyncio is imported.
"""

import time

pops = 0  # tasks begun or continued, so that the simulator sees the loop come round
between = None  # called before each of them


class TaskQueue:
    """Tasks in the order in which they are due; those due at the same time, first come, first served.

    `first`, the task that is due first or None, is for other threads: this MicroPython runs threads truly in parallel,
    so a list that one of them changes is not consistent for the others. A soft interrupt that puts a task in at the
    wrong moment can leave `first` out of date until the next change, so the loop itself uses the list.
    """

    def __init__(self):
        self._tasks = []
        self.first = None

    def peek(self):
        """Return the task that is due first, or None."""
        return self._tasks[0] if self._tasks else None

    def push(self, task, due=None):
        """Put a task in, to run at ticks `due` (milliseconds), or now."""
        if due is None:
            due = time.ticks_ms()
        task.data = None
        task.ph_key = due
        tasks = self._tasks
        place = len(tasks)
        while place and time.ticks_diff(tasks[place - 1].ph_key, due) > 0:
            place -= 1
        tasks.insert(place, task)
        self.first = tasks[0]

    def pop(self):
        """Take out the task that is due first."""
        global pops
        pops += 1
        if between:
            between()
        task = self._tasks.pop(0)
        self._update_first()
        return task

    def remove(self, task):
        """Take a task out, wherever it is in the queue."""
        self._tasks.remove(task)
        self._update_first()

    def _update_first(self):
        self.first = self._tasks[0] if self._tasks else None


class Task:
    """A coroutine that runs as a task.

    `state`: True while it runs, a TaskQueue of the tasks that await it, a function to call at its end, or None or False
    when it has ended. `data`: what it waits for, or the exception that it ended with.
    """

    def __init__(self, coro, globals=None):
        self.coro = coro
        self.data = None
        self.state = True
        self.ph_key = 0
        self._core = globals

    def __iter__(self):
        if not self.state:
            self.state = False  # its end has been seen
        elif self.state is True:
            self.state = TaskQueue()
        elif type(self.state) is not TaskQueue:
            raise RuntimeError("can't wait")
        return self

    __await__ = __iter__

    def __next__(self):
        if not self.state:
            raise self.data
        waiting = self._core["cur_task"]
        self.state.push(waiting)
        waiting.data = self

    def done(self):
        """Return whether it has ended."""
        return not self.state

    def cancel(self):
        """Raise CancelledError in the task at once; return False if it has ended already."""
        if not self.state:
            return False
        core = self._core
        if self is core["cur_task"]:
            raise RuntimeError("can't cancel self")
        task = self
        while isinstance(task.data, Task):
            task = task.data
        queue = core["_task_queue"]
        if hasattr(task.data, "remove"):
            task.data.remove(task)
            queue.push(task)
        elif time.ticks_diff(task.ph_key, time.ticks_ms()) > 0:
            queue.remove(task)
            queue.push(task)
        task.data = core["CancelledError"]
        return True
