"""What scGM's cells are worth: `evaluate` on PBMC3k, paul15 and Tian, beside the floor and simpler generators, over several seeds.

    python benchmarks/generate.py                        the three data sets, seeds 0 1 2 (SCGM_DATA; about 40 minutes of one core)
    python benchmarks/generate.py --sets PBMC3k --seeds 0
    python benchmarks/generate.py --small                simulated cells, one seed, a minute
    python benchmarks/generate.py --speed                10,000 cells of 13,000 genes as counts (asked: under 15 s), and training's memory

Split 80/20 by type, nothing tuned on the test part; the label is never told to the decoder.
"""
import time, warnings
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
import numpy as np, pandas as pd
import scgm_nb as sg
from quality import sets

shown = ['forest AUC, expression', 'forest AUC, PCs', 'W2', 'MMD²', 'energy distance', 'variance ratio', '1-NN accuracy', 'precision', 'recall', 'log-fold-change slope', 'log-fold-change r',
         'gene-gene r, within types', 'label accuracy', 'train on synthetic', 'library size KS', 'closest-record share', 'membership AUC', 'exact duplicates']

def peak(): return next(int(line.split()[1])/2**20 for line in Path('/proc/self/status').read_text().splitlines() if line.startswith('VmHWM'))

def pooled(table):
    "The figures shown here, of all cells together, in their order"
    table = table[table.type == 'all'].set_index('metric')
    return table.loc[[m for m in shown if m in table.index]]

def one(name, train, test, seed):
    "Train, generate, judge; a table of one run"
    start = time.time()
    gm = sg.ScGM.train(train, 'cell_type', seed=seed, progress=False)
    trained, since = time.time() - start, time.time()
    table = pooled(gm.report(test, train, seed=seed, progress=False).table)
    print(f'\n{name}, seed {seed}: {train.n_obs} / {test.n_obs} cells, {train.n_vars} genes, {gm.vae.latent_size} latents; trained in {trained:.0f} s, report {time.time() - since:.0f} s, peak {peak():.2f} GiB', flush=True)
    print(table.drop(columns=['about', 'type', 'cells', 'verdict'], errors='ignore').to_string(float_format='{:.3f}'.format), flush=True)
    return table.assign(set=name, seed=seed, train_s=trained)

def summary(tables, model='scGM'):
    "Mean over seeds, and the spread of the model's"
    both = pd.concat(tables).reset_index()
    both['floor'] = (both.low + both.high)/2
    rivals = [c for c in both if c in ('independent genes', 'training cells again', 'Gaussian per type')]
    group = both.groupby(['set', 'metric'], sort=False)
    out = group[['floor', 'value', *rivals]].mean().rename(columns={'value': model})
    out.insert(2, 'sd', group.value.std())
    print(f'\nMean over seeds (sd: of {model} between seeds)\n' + out.to_string(float_format='{:.3f}'.format))
    print('training, s: ' + ', '.join(f'{k} {v:.0f}' for k, v in both.groupby('set', sort=False).train_s.mean().items()))
    return out

def speed():
    "How fast cells are drawn"
    name, train, test = next(sets())
    start = time.time()
    gm = sg.ScGM.train(train, 'cell_type', progress=False)
    print(f'{name}: trained on {train.n_obs} cells of {train.n_vars} genes in {time.time() - start:.0f} s, peak {peak():.2f} GiB')
    gm.generate(100)
    start = time.time()
    new = gm.generate(10_000, seed=1)
    print(f'{new.n_obs:,} cells x {new.n_vars:,} genes drawn as counts in {time.time() - start:.1f} s, peak {peak():.2f} GiB')

if __name__ == '__main__':
    warnings.filterwarnings('ignore', category=sg.DataWarning)
    args = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    args.add_argument('--sets', nargs='*'); args.add_argument('--seeds', nargs='*', type=int, default=[0, 1, 2])
    args.add_argument('--small', action='store_true'); args.add_argument('--speed', action='store_true')
    args = args.parse_args()
    if args.speed: speed()
    elif args.small: summary([one('simulated', *sg.split(sg.simulate(900, 400, n_types=4, seed=0), by='cell_type'), 0)])
    else: summary([one(name, train, test, seed) for seed in args.seeds for name, train, test in sets(seed) if not args.sets or name in args.sets])
