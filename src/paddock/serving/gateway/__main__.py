"""Entry point of the gateway process."""

import sys

from paddock.serving.gateway.process import main

sys.exit(main(sys.argv[1:]))
