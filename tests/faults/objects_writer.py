"""A process that puts objects and says on stdout which digests were acknowledged.

    objects_writer.py FOLDER SEED

Puts bytes and files of 0 to 3 MB by turns without end. Started by tests, which kill it.
"""

import os
import random
import sys
from pathlib import Path

from paddock.objects import open_objects


def main(folder: str, seed: int) -> None:
    store = open_objects(f"{folder}/objects")
    chance = random.Random(seed)
    source = Path(folder) / f"source-{seed}"
    while True:
        body = chance.randbytes(chance.randrange(3_000_000) if chance.random() < 0.3 else 200)
        if chance.random() < 0.5:
            digest = store.put(body)
        else:
            source.write_bytes(body)
            digest = store.put_file(source)
        os.write(1, f"{digest}\n".encode())  # one system call: a killed process leaves whole lines


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
