"""What the checks of the door cost beside reading the file.

    python benchmarks/door.py             an h5ad of 200 MB, compressed and not

Seconds (median over the rounds) of three readings of the same file, taken in turn: anndata.read_h5ad; our reader with its checks taken out;
our reader as it is. `cost`: what the checks add to our reading; `beside`: our whole reading, checks included, beside that of anndata (below 0
it is the faster one). By the wall; by the processor time of the main thread, which is the wall of a machine with a second processor free, since that one
looks at each block while the next is read; and by the processor time of all threads.
    python benchmarks/door.py --plain     without the compressed file, a quarter of a minute
    python benchmarks/door.py --mb 20     the small size that the tests run
"""
import os, tempfile, time
from argparse import ArgumentParser
from pathlib import Path
from unittest.mock import patch
import anndata, numpy as np, pandas as pd, scipy.sparse as sp
from scgm_nb import files, hdf5

def cells(mb, compression, n_genes=20_000, per_cell=2_000):
    "Cells whose h5ad takes about `mb` megabytes; a third of the genes have names with a hyphen, as in a 10x file"
    n = max(1, int(mb*1e6/per_cell/(2.1 if compression else 8)))
    rng = np.random.default_rng(0)
    genes = np.concatenate([np.sort(rng.choice(n_genes, per_cell, replace=False)) for _ in range(n)]).astype(np.int32)
    X = sp.csr_matrix((rng.geometric(.6, n*per_cell).astype(np.float32), genes, np.arange(n + 1)*per_cell), (n, n_genes))
    return anndata.AnnData(X, obs=pd.DataFrame(index=[f'cell {i}' for i in range(n)]), var=pd.DataFrame(index=[f'RP11-{i}H{i % 30}.{i % 9}' if i % 3 == 0 else f'GENE{i}' for i in range(n_genes)]))

def forget(path):
    "Ask the system to drop the file from its page cache"
    with open(path, 'rb') as f: os.fsync(f.fileno()); os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

def clock(read, path, cold):
    "Seconds by the wall, of the main thread, and of all threads"
    if cold: forget(path)
    clocks = time.perf_counter, time.thread_time, time.process_time
    start = [now() for now in clocks]
    cells = read(path)
    return [now() - begun for now, begun in zip(clocks, start)]

def bare(path):
    "Our reader with nothing looked at: neither values, indices, names nor labels"
    with patch.multiple(hdf5, scan=lambda block: (1, 1, True), falls=lambda block: 0), patch.multiple(files, scan=lambda block: (1, 1, True), check=lambda adata, *args, **kwargs: adata): return files.read(path)

readers = dict(anndata=anndata.read_h5ad, bare=bare, read=files.read)

def measure(path, cold, rounds):
    "Median seconds of each reader, by the three clocks"
    runs = {name: [] for name in readers}
    for i in range(rounds + 1):
        for name in [*readers][i % 3:] + [*readers][:i % 3]: runs[name].append(clock(readers[name], path, cold))
    return {name: np.median(times[1:], axis=0) for name, times in runs.items()}       # the first round warms up

def row(seconds, which):
    t = {name: s[which] for name, s in seconds.items()}
    return t | dict(cost=t['read']/t['bare'] - 1, beside=t['read']/t['anndata'] - 1)

def main():
    args = ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('--mb', type=float, default=200)
    args.add_argument('--times', type=int, default=9)
    args.add_argument('--plain', action='store_true')
    args = args.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as box:
        for compression in (None,) if args.plain else ('gzip', None):
            path = Path(box)/f'{compression}.h5ad'
            cells(args.mb, compression).write_h5ad(path, compression=compression)
            for cold in (True, False):
                seconds = measure(path, cold, args.times if compression is None else max(3, args.times//3))
                about = dict(compression=str(compression), cache='cold' if cold else 'warm', MB=path.stat().st_size/1e6)
                rows += [about | dict(seconds=kind) | row(seconds, which) for which, kind in enumerate(('wall', 'main thread', 'all threads'))]
    print(pd.DataFrame(rows).round(3).to_string(index=False))

if __name__ == '__main__': main()
