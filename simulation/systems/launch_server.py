"""Start a server program the safe way: not as root, and never outliving the process that asked for it.

Run as a script, ``launch_server.py UID GID PARENT PROGRAM ARGUMENTS…``, with ``UID`` = ``-`` to keep the user. It is a
process of its own because privileges cannot be dropped safely between fork and exec of a program that has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
# Reading and passing through folders of others: bit 2, or bit 1 where a container grants only that one.
PASS_FOLDERS = (2, 1)


def _keep_passage(libc: ctypes.CDLL) -> None:
    """Keep the right to pass through closed parent folders, so that no folder must be opened to everybody.

    Nothing happens where the kernel refuses: then the parents must be passable anyway, and the server says so.
    """
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    for bit in PASS_FOLDERS:
        data = (ctypes.c_uint32 * 6)(1 << bit, 1 << bit, 1 << bit, 0, 0, 0)
        if libc.capset(header, data) == 0 and libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0) == 0:
            return


def main(arguments: list[str]) -> None:
    """Become the user asked for, tie the own life to the parent's, and turn into the program."""
    user, group, parent, program, *rest = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    if user != "-":
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(int(group), int(group), int(group))
        os.setresuid(int(user), int(user), int(user))
        _keep_passage(libc)
    if parent != "-":
        # A fast, orderly shutdown of PostgreSQL when the parent is gone, however it went.
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit(1)
    os.execv(program, [program, *rest])


if __name__ == "__main__":
    main(sys.argv[1:])
