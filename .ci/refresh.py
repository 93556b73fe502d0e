"""Run notebooks from top to bottom and keep what they print and draw.

    python .ci/refresh.py                      every notebook of the book
    python .ci/refresh.py nbs/01_vae.ipynb     one of them
    python .ci/refresh.py --flags "slow"       cells tagged `#| slow` too (their outputs are kept as they are otherwise)
"""
import os, re, sys, time
os.environ.setdefault('IN_TEST', '1')
from argparse import ArgumentParser
from contextlib import chdir
from pathlib import Path
from execnb.nbio import read_nb, write_nb
from execnb.shell import CaptureShell
from nbdev.clean import clean_nb
from nbdev.config import get_config
from nbdev.doclinks import nbglob

def skipped(source, flags):
    "Is this cell tagged with a flag that was not asked for, or not meant to run?"
    tags = re.findall(r'^#\|\s*(\w+)(.*)$', source, re.M)
    return any(tag in flags or (tag == 'eval' and 'false' in rest) for tag, rest in tags) or 'nbdev_export' + '(' in source

def stop_at_error(cell):
    "A notebook that fails is not written"
    for out in cell.outputs:
        if out['output_type'] == 'error': raise SystemExit(cell.source + chr(10) + chr(10).join(out['traceback']))

def refresh(path, flags):
    "Run the cells of `path` in order, stop at the first error, write the outputs back"
    nb, start = read_nb(path), time.time()
    sys.path.insert(0, str(get_config().config_path))
    with chdir(path.parent):
        shell = CaptureShell(path, mpl_format='png')
        for cell in nb.cells:
            if cell.cell_type != 'code' or skipped(cell.source, flags): continue
            cell.outputs = shell.run(cell.source)
            stop_at_error(cell)
    clean_nb(nb)
    write_nb(nb, path)
    print(f'{path}: {time.time() - start:.0f} s, {path.stat().st_size/1e6:.2f} MB')

def main():
    args = ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('notebooks', nargs='*', type=Path)
    args.add_argument('--flags', default='')
    args = args.parse_args()
    flags = set(get_config().tst_flags.split()) - set(args.flags.split())
    for path in args.notebooks or sorted(nbglob(as_path=True)): refresh(path.absolute(), flags)

if __name__ == '__main__': main()
