"""What the checks of the door cost beside reading the file.

    python benchmarks/door.py             an h5ad of 200 MB, compressed and not
    python benchmarks/door.py --mb 20     the small size that the tests run
"""
import os, tempfile, time, warnings
from argparse import ArgumentParser
from pathlib import Path
import anndata, numpy as np, pandas as pd, scipy.sparse as sp
from scgm_nb.data import check, DataWarning

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

def once(path, cold):
    if cold: forget(path)
    start = time.perf_counter(); adata = anndata.read_h5ad(path)
    mid = time.perf_counter();   check(adata, copy=False)
    return mid - start, time.perf_counter() - mid

def main():
    args = ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('--mb', type=float, default=200)
    args = args.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as box:
        for compression in ('gzip', None):
            path = Path(box)/f'{compression}.h5ad'
            cells(args.mb, compression).write_h5ad(path, compression=compression)
            for cold in (True, False):
                read, checks = np.median([once(path, cold) for _ in range(5)], axis=0)
                rows.append(dict(compression=compression, cache='cold' if cold else 'warm', MB=path.stat().st_size/1e6, read_s=read, checks_s=checks, share=checks/read))
    print(pd.DataFrame(rows).round(3).to_string(index=False))

if __name__ == '__main__': main()
