"""How many notebooks passed and failed, out of what `nbdev_test --do_print` printed: python .ci/count.py LOG STATUS

A notebook passed when it was completed and is not in the list of failures. One that was never completed has failed,
whatever else was printed, and so has a run that ended badly without naming anybody.
"""
import re, sys
from pathlib import Path

from nbdev.doclinks import nbglob

def count(log, status, notebooks):
    "(passed, failed) of `notebooks`"
    done = set(re.findall(r'- Completed (\S+\.ipynb)', log))
    listed = log.partition('nbdev Tests Failed On The Following Notebooks:')[2]
    named = set(re.findall(r'^\s+(\S+\.ipynb)$', listed, re.M))
    bad = [nb for nb in notebooks if str(nb) not in done or nb.name in named]
    return len(notebooks) - len(bad), len(bad) or int(status != 0 or not notebooks)

if __name__ == '__main__':
    log, status = sys.argv[1:]
    notebooks = [nb.absolute() for nb in nbglob(as_path=True)]
    print(*count(Path(log).read_text(errors='replace'), int(status), notebooks))
