"""What the checks of the door cost beside reading the file.

    python benchmarks/door.py             an h5ad of 200 MB, compressed and not

Columns: seconds of anndata.read_h5ad; of our read, checks included; how much more that is (medians, and best of all runs); then check
alone, of cells already in memory, and its share of reading; then the same three in seconds of processor time (all threads together).
    python benchmarks/door.py --mb 20     the small size that the tests run
"""
import os, tempfile, time
from argparse import ArgumentParser
from pathlib import Path
import anndata, numpy as np, pandas as pd, scipy.sparse as sp
from scgm_nb.data import check
from scgm_nb.files import read

def cells(mb, compression, n_genes=20_000, per_cell=2_000):
    "Cells whose h5ad takes about `mb` megabytes"
    n = max(1, int(mb*1e6/per_cell/(2.1 if compression else 8)))
    rng = np.random.default_rng(0)
    genes = np.concatenate([np.sort(rng.choice(n_genes, per_cell, replace=False)) for _ in range(n)]).astype(np.int32)
    X = sp.csr_matrix((rng.geometric(.6, n*per_cell).astype(np.float32), genes, np.arange(n + 1)*per_cell), (n, n_genes))
    return anndata.AnnData(X, obs=pd.DataFrame(index=[f'cell {i}' for i in range(n)]), var=pd.DataFrame(index=[f'G{i}' for i in range(n_genes)]))

def forget(path):
    "Ask the system to drop the file from its page cache"
    with open(path, 'rb') as f: os.fsync(f.fileno()); os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

def clock(f, path, cold):
    "Seconds by the wall and of the processors, and what came out"
    if cold: forget(path)
    start, busy = time.perf_counter(), time.process_time()
    out = f(path)
    return time.perf_counter() - start, time.process_time() - busy, out

def once(path, cold):
    "anndata alone, our reader with all its checks, and the checks of cells that are in memory already"
    plain, plain_cpu, adata = clock(anndata.read_h5ad, path, cold)
    again, again_cpu, _ = clock(lambda _: check(adata, copy=False), path, False)
    del adata
    ours, ours_cpu, _ = clock(read, path, cold)
    return plain, ours, again, plain_cpu, ours_cpu, again_cpu

def main():
    args = ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('--mb', type=float, default=200)
    args.add_argument('--times', type=int, default=9)
    args = args.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as box:
        for compression in ('gzip', None):
            path = Path(box)/f'{compression}.h5ad'
            cells(args.mb, compression).write_h5ad(path, compression=compression)
            for cold in (True, False):
                runs = np.array([once(path, cold) for _ in range(args.times if compression is None else max(3, args.times//3))])
                plain, ours, again, *cpu = np.median(runs, axis=0)
                rows.append(dict(compression=compression, cache='cold' if cold else 'warm', MB=path.stat().st_size/1e6, read_h5ad=plain, read=ours, more=ours/plain - 1, best=runs[:, 1].min()/runs[:, 0].min() - 1,
                                 check=again, check_share=again/plain, cpu_read_h5ad=cpu[0], cpu_read=cpu[1], cpu_check=cpu[2]))
    print(pd.DataFrame(rows).round(3).to_string(index=False))

if __name__ == '__main__': main()
