"""A process that uses artifacts, or one that frees what nothing refers to. Started by tests, which kill it.

    gc_program.py write FOLDER SEED SECONDS     put the same few bodies under names, read and delete them
    gc_program.py collect FOLDER                free what is older than two seconds, again and again

The writer ends with exit code 0 when every file that it has put could be read.
"""

import random
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from paddock.app import App, open_app
from paddock.governance import Stage
from paddock.governance.collecting import Collector
from paddock.kernel.settings import resolve_settings

BODIES = [b"body %d " % number * 500 for number in range(60)]
GRACE = timedelta(seconds=2)  # far longer than the way from the bytes to their row


def open_store(folder: str) -> App:
    return open_app(resolve_settings({"store": f"{folder}/store", "principal": "ann"}, {}, {}))


def write(folder: str, seed: int, seconds: float) -> None:
    chance = random.Random(seed)
    until = time.monotonic() + seconds
    with closing(open_store(folder)) as app:
        while time.monotonic() < until:
            number = chance.randrange(len(BODIES))
            path = f"{seed}/{number}"
            if chance.random() < 0.3:
                upload = app.uploads.create("", path)
                app.uploads.put_part(upload.upload_id, 1, BODIES[number])
                app.uploads.complete(upload.upload_id)
            else:
                app.artifacts.put("", path, BODIES[number])
            assert app.artifacts.read("", path) == BODIES[number]
            app.artifacts.delete("", path)
            time.sleep(chance.uniform(0.0, 0.05))  # so that each body is old now and then


def collect(folder: str) -> None:
    def linger(stage: Stage, _done: int, _total: int) -> None:
        if stage == "deleting":  # between the last look at the rows and the end of the next object
            time.sleep(0.02)

    with closing(open_store(folder)) as app:
        while True:
            report = Collector(
                app.metadata, app.objects, app.clock, "ann", Path(folder) / "store", GRACE, linger
            ).collect(deletes=True)
            print(len(report.freed), flush=True)
            time.sleep(0.5)  # until there are several old ones again


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    else:
        collect(sys.argv[2])
