"""The command line `paddock`: the same nouns and verbs as the Python package and the API.

- Errors are shown once, as `error:` and `hint:` on stderr, with the error's exit code; never a traceback.
- Ctrl-C ends with exit code 130 and one line, whatever was going on.
- `--help` loads no library that only some commands need.
"""

from paddock.cli.main import main

__all__ = ["main"]
