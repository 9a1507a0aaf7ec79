"""How much work something is, without a clock."""

import sys


def instructions(work):
    """How many bytecode instructions `work` runs, in whatever functions: the time it takes, without a clock."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
