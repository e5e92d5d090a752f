"""The main demo: a year of real flights, through the whole loop, on public calls only.

The demo plants faults in models; the code that finds them is told nothing. Everything it reports comes out
of the run: the prediction log, the ledger, and the models that were served.
"""

from paddock.demo.options import DemoOptions
from paddock.demo.story import run_demo

__all__ = ["DemoOptions", "run_demo"]
