"""`python -m paddock.cli`, which is how Paddock starts processes of its own."""

import sys

from paddock.cli import main

sys.exit(main())
