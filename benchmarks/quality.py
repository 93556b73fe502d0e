"""How long `evaluate` takes and how much memory it needs, on simulated sparse counts; and its floors on real cells.

    python benchmarks/quality.py                     10,000 against 10,000 cells of 20,000 genes (asked: 5 minutes, 4 GB, 2 cores)
    python benchmarks/quality.py --small             600 against 600 cells of 1,000 genes, under a minute
    python benchmarks/quality.py --real              floors and a gene-by-gene generator on PBMC3k, paul15, Tian (SCGM_DATA), seeds 0 1 2
    python benchmarks/quality.py --real --seeds 0 --forests    the same with 200 trees and all cells in every forest
"""
import os, resource, time
from argparse import ArgumentParser
from pathlib import Path
import numpy as np, pandas as pd, scipy.sparse as sp
from anndata import AnnData, read_h5ad
from scgm_nb.data import split
from scgm_nb.quality import evaluate

def counts(n, genes, seed, types=8, chunk=500):
    "Sparse negative-binomial counts of `types` types on 8 programmes, about 2,000 genes per cell at full size"
    world, rng, out, labels = np.random.default_rng(0), np.random.default_rng([seed, 1]), [], []
    base, programmes = world.normal(-1, 2, genes), world.normal(size=(8, genes))*(world.random((8, genes)) < .1)
    centres = world.normal(size=(types, 8))
    for start in range(0, n, chunk):
        t = rng.integers(types, size=min(chunk, n - start))
        rate = np.exp(base + (centres[t] + .5*rng.normal(size=(len(t), 8))) @ programmes)
        rate *= rng.lognormal(np.log(.4*genes), .35, len(t))[:, None]/rate.sum(1, keepdims=True)
        out.append(sp.csr_matrix(rng.poisson(rng.gamma(2, .5, rate.shape)*rate).astype(np.float32))); labels.append(t)
    obs = pd.DataFrame({'cell_type': [f'type {i}' for i in np.concatenate(labels)]}, index=[f'{seed}-{i}' for i in range(n)])
    return AnnData(sp.vstack(out).tocsr(), obs=obs, var=pd.DataFrame(index=[f'gene {i}' for i in range(genes)]))

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20

def speed(n, genes, train):
    "Time and peak memory of one `evaluate`"
    real, fake, seen = counts(n, genes, 1), counts(n, genes, 2), counts(train, genes, 3)
    before, start = peak(), time.time()
    report = evaluate(real, fake, seen, labels='cell_type')
    print(f'{n:,} against {n:,} cells, {train:,} training cells, {genes:,} genes, {real.X.nnz/n:.0f} genes per cell: {time.time() - start:.0f} s, peak {peak():.2f} GiB (the cells alone: {before:.2f}); '
          f'{len(report.table)} figures, {len(report.failed)} off the floor', flush=True)
    return report

        yield name, *split(a, by='cell_type', seed=seed)
