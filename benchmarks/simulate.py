"""How fast are cells simulated, and does the memory stay bounded?

    python benchmarks/simulate.py                     1,000,000 cells x 2,000 genes: several minutes on one core
    python benchmarks/simulate.py --minute            5,000 and 20,000 cells: well under a minute

Each row runs in a process of its own, so that its peak memory is its own.
"""
import sys, time
from argparse import ArgumentParser
from subprocess import run

def peak():
    "Highest memory of this process so far, in MB (on Linux not counting what its parent once held)"
    import re, resource
    from pathlib import Path
    status = Path('/proc/self/status')
    if status.exists(): return int(re.search(r'VmHWM:\s+(\d+)', status.read_text())[1])/2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == 'darwin' else 2**10)

def measure(cells, genes, chunk):
    "Stream `cells` cells and keep nothing but their totals"
    from scgm_nb.simulate import simulate_chunks
    next(iter(simulate_chunks(10, genes)))             # compiled
    before, wall, cpu, counts, seen = peak(), time.time(), time.process_time(), 0, 0
    for part in simulate_chunks(cells, genes, chunk=chunk, seed=0):
        counts, seen = counts+part.X.sum(dtype=float), seen+part.n_obs
    assert seen == cells and counts > 0
    wall, cpu = time.time()-wall, time.process_time()-cpu
    print(f'| {cells:,} | {genes:,} | {chunk:,} | {counts/cells:,.0f} | {wall:.1f} | {cells/wall:,.0f} | {cells/cpu:,.0f} | {before:,.0f} | {peak():,.0f} |', flush=True)

def main():
    args = ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('--minute', action='store_true')
    args.add_argument('--one', type=int, nargs=3, help='cells, genes, chunk: one row')
    args = args.parse_args()
    if args.one: return measure(*args.one)
    print('| cells | genes | chunk | counts per cell | seconds | cells/s | cells per CPU second | MB before | MB at the peak |\n|' + '---|'*9, flush=True)
    rows = [(5_000, 2_000, 200), (20_000, 2_000, 200)] if args.minute else [(20_000, 2_000, 200), (200_000, 2_000, 200), (200_000, 2_000, 2_000), (20_000, 20_000, 200), (1_000_000, 2_000, 200)]
    for row in rows: run([sys.executable, __file__, '--one', *map(str, row)], check=True)

if __name__ == '__main__': main()
