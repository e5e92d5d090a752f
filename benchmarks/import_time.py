"""How long `import paddock` takes in a fresh process, beyond the start of Python itself."""

import json
import subprocess
import sys
import time

ROUNDS = 15


def main() -> None:
    rounds = [(time_s("pass"), time_s("import paddock")) for _ in range(ROUNDS)]
    bare, loaded = (min(times) for times in zip(*rounds, strict=True))  # the rest of the machine only adds
    measurement = {
        "name": f"import paddock, least of {ROUNDS}",
        "value": round(1000 * (loaded - bare), 1),
        "unit": "ms",
        "budget": "at most 150 ms",
    }
    print(json.dumps({"title": "Import", "measurements": [measurement]}))


def time_s(program: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
