"""Run notebooks from top to bottom and keep what they print and draw.

    python .ci/refresh.py                      every notebook of the book
    python .ci/refresh.py nbs/01_vae.ipynb     one of them
    python .ci/refresh.py --flags "slow"       cells tagged `#| slow` too (their outputs are kept as they are otherwise)

Each notebook runs in a process of its own. One that fails is left as it was, named at the end, and the others go on.
"""
import os, re, site, sys, time
from argparse import ArgumentParser
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir
from multiprocessing import get_context
from pathlib import Path

from execnb.nbio import read_nb, write_nb
from execnb.shell import CaptureShell
from nbdev.clean import clean_nb
from nbdev.config import get_config
from nbdev.doclinks import nbglob

limit = 1.5e6   # bytes of a notebook

def skipped(source, flags):
    "Is this cell tagged with a flag that was not asked for, or not meant to run?"
    tags = re.findall(r'^#\|\s*(\w+)(.*)$', source, re.M)
    return any(tag in flags or (tag == 'eval' and 'false' in rest) for tag, rest in tags) or 'nbdev_export' + '(' in source

def failed(cell):
    "The traceback of a cell that failed, or nothing"
    return next(('\n'.join(out['traceback']) for out in cell.outputs if out['output_type'] == 'error'), '')

def unplaced(outputs):
    "Outputs without the folders of this machine, which warnings bring along"
    places = [*site.getsitepackages(), str(get_config().config_path)]
    for out in outputs:
        for place in places:
            if 'text' in out: out['text'] = [line.replace(place + os.sep, '') for line in out['text']]
    return outputs

def refresh(path, flags):
    "Run the cells of `path` in order and write their outputs back; the traceback where one fails"
    nb, os.environ['IN_TEST'] = read_nb(path), '1'
    sys.path.insert(0, str(get_config().config_path))
    with chdir(path.parent):
        shell = CaptureShell(path, mpl_format='png')
        for cell in nb.cells:
            if cell.cell_type != 'code' or skipped(cell.source, flags): continue
            cell.outputs = unplaced(shell.run(cell.source))
            if failed(cell): return cell.source + '\n\n' + failed(cell)
    clean_nb(nb)
    write_nb(nb, path)

def main():
    args = ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('notebooks', nargs='*', type=Path)
    args.add_argument('--flags', default='', help='cells with these tags run too')
    args = args.parse_args()
    flags, bad = set(get_config().tst_flags.split()) - set(args.flags.split()), []
    for path in args.notebooks or sorted(nbglob(as_path=True)):
        start = time.time()
        with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as alone: wrong = alone.submit(refresh, path.absolute(), flags).result()
        size = path.stat().st_size
        print(f'{path}: {time.time() - start:.0f} s, {size/1e6:.2f} MB' + ', FAILED and left as it was' * bool(wrong) + ', TOO LARGE' * (size > limit), flush=True)
        if wrong: print(wrong); bad.append(path)
    if bad: sys.exit(f'failed: {", ".join(map(str, bad))}')

if __name__ == '__main__': main()
