"""The sidecar as a process, for as long as there is no `sidecar run`.

python -m tests.benchmarks.sidecar_runner CONFIGURATION
"""

import logging
import os
import sys
from pathlib import Path

import uvloop

from sidecar.application import run
from sidecar.configuration import load

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    file = Path(sys.argv[1])
    uvloop.run(run(lambda: load(file, os.environ), file))
