"""How long `evaluate` takes and how much memory it needs, on simulated sparse counts; and its floors on real cells.

    python benchmarks/quality.py                     10,000 against 10,000 cells of 20,000 genes (asked: 5 minutes, 4 GB, 2 cores)
    python benchmarks/quality.py --small             600 against 600 cells of 1,000 genes, under a minute
    python benchmarks/quality.py --real              floors and a gene-by-gene generator on PBMC3k, paul15, Tian (SCGM_DATA), seeds 0 1 2
    python benchmarks/quality.py --real --seeds 0 --forests    the same with 200 trees and all cells in every forest
    python benchmarks/quality.py --forests           seconds of the forests alone at full size, with and without the limits
"""
import os, resource, time
from argparse import ArgumentParser
from pathlib import Path
import numpy as np, pandas as pd, scipy.sparse as sp
from anndata import AnnData, read_h5ad
from scgm_nb.data import normalise
from scgm_nb.distances import fit_space
from scgm_nb.measures import Cells, forest_figures
from scgm_nb.quality import evaluate
from scgm_nb.splits import split

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

def forests(n=2000, genes=20_000, splits=20):
    "Seconds of the two forests of one comparison (which never has more than 2,000 cells a side), and what an `evaluate` spends on all of its forests"
    real, fake = (counts(n, genes, seed) for seed in (1, 2))
    space = fit_space(normalise(real))
    real, fake = (Cells(c.X, normalise(c), c.obs['cell_type'].to_numpy(str)).at(space) for c in (real, fake))
    took = {}
    for most, trees in ((1000, 25), (1000, 200), (None, 200)):
        start = time.time()
        found = forest_figures(real, fake, trees, most)
        took[most, trees] = time.time() - start
        print(f'{min(most or n, n):,} cells a side, {trees} trees: {took[most, trees]:.1f} s, AUC {np.round([*found.values()], 3)}', flush=True)
    limited, lifted = splits*took[1000, 25] + took[1000, 200], (splits + 3)*took[None, 200]
    print(f'all forests of one evaluate with {splits} splits: {limited:.0f} s with the limits, {lifted:.0f} s without (forests=(None, 200, 3)), {lifted/limited:.0f} times as long', flush=True)

def sets(seed=0):
    "The three data sets, each split by `seed` (0 is the standard split of the book)"
    data = Path(os.environ['SCGM_DATA'])
    for name, file, few in (('PBMC3k', 'pbmc3k_10x', 30), ('paul15', 'paul15_mouse_myeloid', 20), ('Tian', 'tian2019_celllines_sc', 20)):
        a = read_h5ad(data/f'{file}.h5ad')
        a = a[(a.obs.cell_type != 'unassigned') & (a.obs.groupby('cell_type', observed=True).cell_type.transform('size').astype(int) >= few)]
        a = a[:, np.flatnonzero(sp.csr_matrix(a.X).getnnz(0) >= 3)].copy()
        if name == 'Tian': a = a[:, np.sort(np.argsort(-sp.csr_matrix(a.X).log1p().power(2).mean(0).A1)[:5000])].copy()
        yield name, *split(a, by='cell_type', seed=seed)

def alone(train, sizes, seed=0):
    "Each gene of each type drawn alone: negative binomial by moments, library sizes of training cells"
    rng, out, labels = np.random.default_rng(seed), [], []
    for t, n in sizes.items():
        X = sp.csr_matrix(train[train.obs.cell_type == t].X).toarray().astype(float)
        N, p = X.sum(1, keepdims=True), X.sum(0)/X.sum()
        phi = np.clip(((X - N*p)**2 - N*p).sum(0)/np.maximum(((N*p)**2).sum(0), 1e-9), 1e-3, 5)
        out.append(rng.poisson(rng.gamma(1/phi, phi, (n, len(p)))*p*rng.choice(N[:, 0], n)[:, None])); labels += [t]*n
    return AnnData(sp.csr_matrix(np.concatenate(out).astype(np.float32)), obs=pd.DataFrame({'cell_type': labels}, index=[f'nb {i}' for i in range(len(labels))]), var=pd.DataFrame(index=train.var_names))

def one_real(name, train, test, seed, forests):
    "The pooled rows of one data set and seed"
    start, sizes = time.time(), test.obs.cell_type.astype(str).value_counts().to_dict()
    report = evaluate(test, alone(train, sizes, seed), train, labels='cell_type', seed=seed, forests=forests)
    print(f'{name}, seed {seed}: train {train.n_obs}, test {test.n_obs}, {train.n_vars} genes, {len(sizes)} types; {time.time() - start:.0f} s', flush=True)
    return report.table[report.table.type == 'all'].assign(data=name, seed=seed)

def real(seeds, forests):
    "Floors, and the trivial generator beside them: means over the seeds, and the verdict of each"
    t = pd.concat([one_real(*one, seed, forests) for seed in seeds for one in sets(seed)])
    for name, rows in t.groupby('data', sort=False):
        g = rows.assign(words=rows.verdict.str.split(':').str[0]).groupby('metric', sort=False)
        print(f'\n{name}: floor (5 to 95%) and gene-by-gene generator, means of {len(seeds)} seeds, with the range of the generator')
        out = g[['low', 'high', 'value']].mean().assign(least=g.value.min(), most=g.value.max(), verdicts=g.words.agg(lambda w: ', '.join(dict.fromkeys(w))))
        print(out.to_string(float_format='{:.3f}'.format), flush=True)

if __name__ == '__main__':
    args = ArgumentParser(description=__doc__, formatter_class=__import__('argparse').RawDescriptionHelpFormatter)
    args.add_argument('--small', action='store_true'); args.add_argument('--real', action='store_true')
    args.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2]); args.add_argument('--forests', action='store_true', help='200 trees, all cells, three splits')
    args = args.parse_args()
    if args.real: real(args.seeds, (None, 200, 3) if args.forests else (1000, 25, 1))
    elif args.forests: forests()
    else: speed(*(600, 1000, 600) if args.small else (10_000, 20_000, 10_000))
