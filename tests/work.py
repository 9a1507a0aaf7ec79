"""How much work something is, without a clock."""

import gc
import sys


def steps(work):
    """Count the lines that `work` runs and the functions that it calls, in Python; a loop on one line counts each time.

    Unlike seconds they are the same on every machine, and unlike bytecode instructions they grow alike on every Python.
    """
    count = 0

    def trace(frame, event, _):
        nonlocal count
        count += event in {"line", "call"}
        return trace

    before, collects = sys.gettrace(), gc.isenabled()
    gc.disable()  # a collection in between may end somebody else's objects, whose Python would count
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
        if collects:
            gc.enable()
    return count
