"""What every room may use: ids, names, refs, errors, clock, settings, digests.

No I/O but the clock and the system's random numbers; no import of any other room.
Import the files (`paddock.kernel.errors`), they are the front doors.
"""
