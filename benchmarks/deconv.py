"""How well bulk samples are taken apart: every method, five repeats, overall and per type, beside the best constant guess.

    python benchmarks/deconv.py                        all tasks on real cells (SCGM_DATA), about 15 CPU-minutes
    python benchmarks/deconv.py --tasks kang tian      some of them: pbmc, kang, tian, mixtures, hoek
    python benchmarks/deconv.py --tasks kang --repeats 2 --rows kang.csv     one repeat at a time; --tasks --rows kang.csv prints their tables
    python benchmarks/deconv.py --small                halves of the demo cells, one repeat, under a minute
    python benchmarks/deconv.py --speed                11 types x 6,000 genes: seconds and memory of training, seconds for 1,000 bulks
    python benchmarks/deconv.py --coverage             90% intervals on 1,200 mixtures of cells that were held out: random halves and whole donors
    python benchmarks/deconv.py --stranger             how often the warning of an unknown type comes: types taken out of the reference, 0 to 90% of the bulk
    python benchmarks/deconv.py --ceiling              what the cell mixtures would score with the truth put in: sizes, and profiles from their own pure wells
    python benchmarks/deconv.py --sctape PYTHON        scTAPE 1.1.2 itself, where that interpreter has it, on the task 'kang'

The constant guess is told the mean of the true proportions, so it is the best of all constants.
"""
import os, subprocess, sys, tempfile, time, warnings
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
import anndata as ad, numpy as np, pandas as pd, scipy.sparse as sp
from scipy.optimize import least_squares, nnls
import scgm_nb as sg
from scgm_nb.bulk import pseudo_bulk, read_bulk
from scgm_nb.deconv import Deconvolver, meet
from scgm_nb.mixtures import Signature, cell_shares, em_shares, informative, scores, signature, to_one, weighted_shares
from scgm_nb.rehearsal import names
from scgm_nb.simulate import demo_cells, simulate

columns = ['RMSE', 'CCC', 'r', 'r per type', 'CCC per type']
here = Path(__file__).resolve().parent

def data(name): return ad.read_h5ad(Path(os.environ['SCGM_DATA'])/name)
def shared(b): return b.obsm['fractions']

def pbmc(seed):
    "Halves of PBMC3k: 100 bulks of 500 cells, half of them without half of the types"
    a = data('pbmc3k_10x.h5ad')
    train, test = sg.split(a[a.obs.cell_type != 'unassigned'].copy(), by='cell_type', test=.5, seed=seed)
    b = pseudo_bulk(test, n_samples=100, missing=.5, seed=seed)
    yield 'PBMC3k, halves', train, None, b, shared(b), 'proportions'

def kang(seed):
    "Reference from one donor, with and without stimulus; bulks from the other"
    a = data('kang2018_ifnb_typed_1267genes.h5ad')
    donor, ours = a.obs['sample'].astype(str).str[-3:].to_numpy(), ('101', '107')[seed % 2]
    b = pseudo_bulk(a[donor != ours].copy(), n_samples=100, missing=.5, seed=seed)
    yield 'Kang, donor to donor', a[donor == ours].copy(), 'sample', b, shared(b), 'proportions'

def lines():
    a = data('tian2019_celllines_sc.h5ad')
    return a[a.obs.demuxlet == 'SNG'].copy()

def tian(seed):
    "Reference from one protocol, bulks from another; three lines that all protocols hold"
    a = lines()
    a = a[a.obs.cell_type.isin(['H1975', 'H2228', 'HCC827'])].copy()
    protocol = a.obs.protocol_batch.astype(str).str.replace(r'_p\d$', '', regex=True).to_numpy()
    names = dict(A='sc_celseq2', D='sc_dropseq', P='sc_celseq2_5cl')
    ours, there = [names[c] for c in ('AD', 'DA', 'PD', 'PA', 'DP')[seed]]
    b = pseudo_bulk(a[protocol == there].copy(), n_samples=100, missing=.5, seed=seed)
    yield 'Tian, protocol to protocol', a[protocol == ours].copy(), 'protocol_batch' if ours.endswith('5cl') else None, b, shared(b), 'proportions'

def mixtures(seed):
    "Real mixtures of known composition; the reference holds five lines, the mixtures three. The two plates of cell mixtures are two libraries of the same wells, so they are added up"
    ref, m = lines(), data('tian2019_celllines_mixtures.h5ad')
    m = m[m.obs.poor_quality == 'NO'].copy()
    truth = to_one(m.obs[['frac_H1975', 'frac_H2228', 'frac_HCC827']].to_numpy(float))
    truth = pd.DataFrame(truth, m.obs_names, ['H1975', 'H2228', 'HCC827'])
    def bulks(groups, kind):
        X = sp.vstack([sp.csr_matrix(m.X[g].sum(0)) for g in groups]).tocsr()
        b = read_bulk(ad.AnnData(X, obs=pd.DataFrame(index=m.obs_names[[g[0] for g in groups]]), var=pd.DataFrame(index=m.var_names)), 'counts')
        if kind == 'cellmix': b.obs['cells'] = [m.obs.n_cells.to_numpy(float)[g].sum() for g in groups]
        return b, truth.loc[b.obs_names]
    for kind, name, what in (('RNAmix', 'Tian, RNA mixtures', 'read_shares'), ('cellmix', 'Tian, cell mixtures', 'proportions')):
        at = np.flatnonzero(m.obs.kind == kind)
        key = truth.iloc[at].round(3).astype(str).agg(' '.join, axis=1).to_numpy()
        if kind == 'RNAmix': key = m.obs.batch.astype(str).to_numpy()[at] + key
        yield name + ', wells summed', ref, 'protocol_batch', *bulks([at[key == k] for k in np.unique(key)], kind), what
        yield name + ', single wells', ref, 'protocol_batch', *bulks([[i] for i in np.sort(np.random.default_rng(seed).choice(at, 200, replace=False))], kind), what

def ceiling(say):
    "How far the wells themselves go: sizes fitted to the true fractions; profiles of the pure wells, which are among the samples, instead of a reference"
    name, ref, groups, b, truth, _ = next(x for x in mixtures(0) if x[0] == 'Tian, cell mixtures, wells summed')
    T, lost, own = truth.to_numpy(), [], b[truth.max(axis=1).to_numpy() > .999]
    pure = own.X.toarray()[truth.loc[own.obs_names].to_numpy().argmax(1).argsort()]
    P, N = to_one(pure.astype(float)), pure.sum(1, keepdims=True)
    B, on, Y, n = meet(b, None, signature(ref, 'cell_type', groups), .5)
    for what, s, Y in (('reference: single cells', signature(ref, 'cell_type', groups).on(on), Y), ('reference: their own pure wells', Signature(truth.columns, b.var_names, P, (P + 1/N)/N, np.ones(3), np.full(3, 100)), to_one(b.X.toarray()))):
        at, k = informative(s), s.types.get_indexer(truth.columns)
        for method, f in (('em', lambda y, n: em_shares(y, s, at)), ('weighted', lambda y, n: weighted_shares(y, s, at, reads=n)[0])):
            R = to_one(np.array([f(y, m) for y, m in zip(Y, n)])[:, k])
            fit = least_squares(lambda z: (to_one(R/np.exp(np.r_[0, z])) - T).ravel(), [0, 0]).x
            lost.append(dict(what=what, method=method) | {f'CCC, {sizes}': scores(to_one(R/v), T)['CCC'] for sizes, v in (('sizes of the reference', s.size[k]), ('sizes fitted to the truth', np.exp(np.r_[0, fit])))})
    say(f'\n{name}: what the data allow\n{pd.DataFrame(lost).round(3).to_string(index=False)}')

blood = {'T': ['Naive CD4 T', 'Memory CD4 T', 'CD8 T'], 'Mono': ['CD14+ Mono', 'FCGR3A+ Mono'], 'B': ['B'], 'DC': ['DC'], 'NK': ['NK']}

def hoek(seed):
    "Eight samples of two donors, flow cytometry as the truth; platelets and what flow did not count are left out of both sides"
    a, folder = data('pbmc3k_10x.h5ad'), Path(os.environ['SCGM_DATA'])
    b = read_bulk(folder/'bulk_hoek2015_tpm.tsv.gz', 'tpm', genes='rows', on_duplicate='sum', mixed_ids=True)
    truth = pd.read_csv(folder/'bulk_hoek2015_fractions.tsv.gz', sep='\t', index_col=0)
    yield 'Hoek, flow cytometry', a[a.obs.cell_type != 'unassigned'].copy(), None, b, truth.loc[b.obs_names], 'proportions'

def demo(seed):
    "Halves of the demo cells"
    train, test = sg.split(demo_cells(), by='cell_type', test=.5, seed=seed)
    b = pseudo_bulk(test, n_samples=40, missing=.5, seed=seed)
    yield 'demo cells, halves', train, None, b, shared(b), 'proportions'

tasks = dict(pbmc=pbmc, kang=kang, tian=tian, mixtures=mixtures, hoek=hoek, demo=demo)

def matched(table, truth):
    "Estimates with the columns of the truth: blood types merged where the truth is coarser, then made to add up to 1 over them"
    if not set(truth) <= set(table): table = pd.DataFrame({k: table[[t for t in v if t in table]].sum(axis=1) for k, v in blood.items()})
    out = table[list(truth)]
    return out.div(out.sum(axis=1).clip(lower=1e-9), axis=0) if len(out.columns) < len(table.columns) or set(truth) == set(blood) else out

def plain(d, bulk):
    "NNLS on all genes"
    b, on, B, _ = meet(bulk, None, d.signature, .5)
    s = d.signature.on(on)
    R = np.array([to_one(nnls(s.share.T, y)[0]) for y in B])
    return {k: pd.DataFrame(v, b.obs_names, s.types) for k, v in dict(read_shares=R, proportions=cell_shares(R, s.size)).items()}

def of_molecules(d):
    "The same, whose proportions are shares of molecules (every cell counts as equally large)"
    return Deconvolver(replace(d.signature, size=np.ones(len(d.signature.types))), d.net, d.net_at, d.tables, d.labels)

def covered(r, truth):
    "How many intervals hold the truth, over the types that both sides name alike"
    both = [t for t in truth if t in r.proportions]
    return float(((r.interval.low[both] <= truth[both]) & (truth[both] <= r.interval.high[both])).to_numpy().mean())

def one(d, bulk, truth, what, slow=True, counted=None):
    "Scores of all methods on one set of bulks"
    rows, t = {}, truth.to_numpy()
    if what == 'read_shares': d = of_molecules(d)
    for m in ['auto', 'nnls', 'weighted', *(['svr'] if slow else []), 'em', 'tape']:
        start = time.process_time()
        r = d.deconvolve(bulk, m)
        rows[m] = scores(matched(r.proportions, truth), t) | dict(seconds=time.process_time() - start) | ({} if m == 'svr' else dict(coverage=covered(r, truth)))
    if counted:
        r = counted.deconvolve(bulk)
        rows['auto, cells counted'] = scores(matched(r.proportions, truth), t) | dict(coverage=covered(r, truth))
    rows['NNLS, all genes'] = scores(matched(plain(d, bulk)['proportions'], truth), t)
    rows['best constant'] = scores(np.tile(t.mean(0), (len(t), 1)), t)
    return pd.DataFrame(rows).T

def repeat(task, seed):
    "One repeat of a task: rows of scores"
    trained, counted, rows = None, None, []
    for name, ref, groups, bulk, truth, what in tasks[task](seed):
        start = time.process_time()
        if trained is None: trained = Deconvolver.train(ref, groups=groups, seed=seed, progress=False); took = time.process_time() - start
        if 'cells' in bulk.obs and not counted: counted = trained.resized(bulk, bulk.obs.cells)      # on the first bulks whose cells are known: the summed wells
        table = one(trained, bulk, truth, what, slow='single' not in name, counted=counted)
        print(f'{name}, repeat {seed}: {len(truth)} bulks\n{table.round(3).to_string()}', flush=True)
        rows.append(table.rename_axis('method').reset_index().assign(task=name, repeat=seed, bulks=len(truth), training=took))
    return pd.concat(rows)

def show(rows, say):
    "Mean and spread over repeats"
    for name, found in rows.groupby('task', sort=False):
        mean, sd = (getattr(found.groupby('method', sort=False)[columns], f)() for f in ('mean', 'std'))
        text = pd.DataFrame({c: [f'{m:.3f} ± {d:.3f}' if np.isfinite(d) else f'{m:.3f}' for m, d in zip(mean[c], sd[c])] for c in columns}, mean.index.rename(None))
        if 'coverage' in found: text['90% covers'] = [f'{v:.3f}' if np.isfinite(v) else '' for v in found.groupby('method', sort=False).coverage.mean()]
        say(f'\n{name}: {found.repeat.nunique()} repeats of {found.bulks.iloc[0]} bulks, mean ± sd over repeats; trained in {found.training.mean():.0f} CPU-s\n{text.to_string()}')

def speed(say):
    "Training and prediction at the size that was asked for"
    a = simulate(3000, 6000, n_types=11, n_donors=3, depth=3000, seed=0)
    b = pseudo_bulk(a, n_samples=1000, n_cells=200, seed=1)
    wall, start = time.time(), time.process_time()
    d = Deconvolver.train(a, groups='donor', seed=0, progress=False)
    trained, wall = time.process_time() - start, time.time() - wall
    again, start = time.time(), time.process_time()
    r = d.deconvolve(b)
    took, again = time.process_time() - start, time.time() - again
    peak = int(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])/2**20
    say(f'\n11 types x 6,000 genes, 3,000 cells: trained in {trained:.0f} CPU-s ({wall:.0f} s on a shared machine), 1,000 bulks in {took:.1f} CPU-s ({again:.1f} s), peak memory {peak:.2f} GiB; RMSE {scores(r.proportions, shared(b))["RMSE"]:.4f}')

def held_out(kind, seed):
    "Reference, its groups, and cells that it does not hold: other halves, or the last of four donors"
    if kind == 'simulated, a new donor':
        a = simulate(1600, 1500, n_types=8, n_donors=4, depth=3000, seed=seed)
        new = a.obs.donor.astype(str).to_numpy() == sorted(a.obs.donor.astype(str).unique())[-1]
        return a[~new].copy(), 'donor', a[new].copy()
    a = demo_cells() if kind == 'demo cells, other half' else data('pbmc3k_10x.h5ad')
    if kind == 'PBMC3k, other half': a = a[a.obs.cell_type != 'unassigned'].copy()
    train, test = sg.split(a, by='cell_type', test=.5, seed=seed)
    return train, None, test

kinds = {'demo cells, other half': 4, 'simulated, a new donor': 5, 'PBMC3k, other half': 3}      # references of each

def coverage(say, only=None, rows=None):
    "Intervals on 100 mixtures of cells that the reference does not hold, again and again"
    found = pd.read_csv(rows) if rows and rows.exists() else pd.DataFrame()
    for kind, seed in only if only is not None else [(k, i) for k, n in kinds.items() for i in range(n)]:
        train, groups, test = held_out(kind, seed)
        b = pseudo_bulk(test, n_samples=100, missing=.4, seed=seed)
        r = Deconvolver.train(train, groups=groups, seed=seed, progress=False).deconvolve(b)
        inside = ((r.interval.low <= shared(b)) & (shared(b) <= r.interval.high)).to_numpy()
        found = pd.concat([found, pd.DataFrame([dict(kind=kind, seed=seed, mixtures=len(inside), covers=inside.mean(), worst_type=inside.mean(0).min(), width=(r.interval.high - r.interval.low).to_numpy().mean())])])
        if rows: found.round(5).to_csv(rows, index=False)
        print(found.iloc[[-1]].to_string(header=False), flush=True)
    table = found.groupby('kind', sort=False).agg(references=('seed', 'size'), mixtures=('mixtures', 'sum'), covers=('covers', 'mean'), sd=('covers', 'std'), worst_type=('worst_type', 'mean'), width=('width', 'mean'))
    say(f'\n90% intervals on {found.mixtures.sum():,} mixtures of held-out cells: {found.covers.mean():.3f} hold the truth\n{table.rename_axis(None).round(3).to_string()}')

def other_donor(seed, groups='sample'):
    "Kang: the cells of one donor, and those of the other"
    a = data('kang2018_ifnb_typed_1267genes.h5ad')
    mine = a.obs['sample'].astype(str).str.endswith(('101', '107')[seed])
    return a[mine].copy(), groups, a[~mine].copy()

def other_protocol(seed):
    "Tian: three lines by one protocol, and by another"
    a = lines()
    a = a[a.obs.cell_type.isin(['H1975', 'H2228', 'HCC827'])].copy()
    protocol = a.obs.protocol_batch.astype(str).str.replace(r'_p\d$', '', regex=True).to_numpy()
    ours, there = (('sc_celseq2', 'sc_dropseq'), ('sc_celseq2_5cl', 'sc_celseq2'))[seed]
    return a[protocol == ours].copy(), 'protocol_batch' if ours.endswith('5cl') else None, a[protocol == there].copy()

strangers = {'demo cells, other half': (2, held_out), 'simulated, a new donor': (3, held_out), 'PBMC3k, other half': (1, held_out),
             'Kang, the other donor': (2, lambda k, i: other_donor(i)), 'Kang, the other donor, groups not told': (1, lambda k, i: other_donor(i, None)), 'Tian, another protocol': (2, lambda k, i: other_protocol(i))}
lacks = (.05, .1, .2, .4, .7, .9)        # shares of the type that the reference lacks

def warned(train, groups, test, gone, seed, clean=60, n=20):
    "How often the warning comes: without a stranger, and with so much of a type that was taken out of the reference"
    kept = train[train.obs.cell_type != gone].copy()
    kept.obs['cell_type'] = kept.obs.cell_type.astype('category').cat.remove_unused_categories()
    d, rng, rows = Deconvolver.train(kept, groups=groups, steps=1, seed=seed, progress=False), np.random.default_rng(seed), []
    for u in (0, *lacks) if gone else (0,):
        F = rng.dirichlet(np.ones(len(d.signature.types)), clean if u == 0 else n)*(1 - u)
        b = pseudo_bulk(test, fractions=pd.DataFrame(F, [f'b{i}' for i in range(len(F))], d.signature.types).assign(**{gone: u} if u else {}), n_cells=400, seed=seed)
        r = d.deconvolve(b)
        rows.append(dict(lacks=gone or '', share=u, bulks=len(F), warned=(r.strange > 1).mean(), unexplained=r.unexplained.median(), residual=r.residual.median()))
    return rows

def stranger(say, only=None, rows=None):
    "The warning of an unknown type: three types of each reference are taken out in turn"
    found = pd.read_csv(rows, keep_default_na=False) if rows and rows.exists() else pd.DataFrame()
    names[:] = ['weighted']        # it looks at the weighted fit alone: no other method, no net
    for kind, seed in only if only is not None else [(k, i) for k, (n, _) in strangers.items() for i in range(n)]:
        train, groups, test = strangers[kind][1](kind, seed)
        types = sorted(train.obs.cell_type.astype(str).unique())
        for gone in ['', *np.random.default_rng(seed).permutation(types)[:3]]:
            found = pd.concat([found, pd.DataFrame(warned(train, groups, test, gone, seed)).assign(kind=kind, seed=seed)])
            if rows: found.round(5).to_csv(rows, index=False)
        print(kind, seed, len(types), 'types', flush=True)
    mean = lambda g: np.average(g.warned, weights=g.bulks)
    table = found.groupby(['kind', 'share'], sort=False)[['warned', 'bulks']].apply(mean).unstack().reindex(found.kind.unique())
    clean = found[found.share == 0].groupby('kind').bulks.sum()
    say(f'\nHow often a bulk is said to hold what the reference lacks, by the share of the cells that are of a missing type\n{table.assign(**{"bulks without": clean}).rename_axis(None).round(3).to_string()}')

def sctape(python, say, repeats=(0,), limit=1500):
    "The package itself, in its own interpreter and process, from files in its own formats; its memory grows less with this threshold of malloc"
    env = os.environ | dict(MALLOC_MMAP_THRESHOLD_='65536', OMP_NUM_THREADS='1', MPLBACKEND='Agg', PYTHONPATH='')
    for seed in repeats:
        (name, ref, _, b, truth, _), = kang(seed)
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            keep = np.flatnonzero(np.asarray((ref.X > 0).sum(0)).ravel() >= 5)
            pd.DataFrame(ref.X[:, keep].toarray().astype(int), ref.obs.cell_type.astype(str), ref.var_names[keep]).to_csv(folder/'cells.txt', sep='\t')
            pd.DataFrame(b.X[:, keep].toarray().astype(int), b.obs_names, b.var_names[keep]).to_csv(folder/'bulk.txt', sep='\t')
            for adapt in ('no', 'yes'):
                start = time.time()
                try: done = subprocess.run([python, str(here/'sctape.py'), 'cells.txt', 'bulk.txt', 'out.tsv', adapt], cwd=folder, capture_output=True, text=True, timeout=limit, env=env)
                except subprocess.TimeoutExpired: say(f'\nscTAPE 1.1.2, adaptive={adapt}, {name}, repeat {seed}: no answer within {limit} s'); continue
                if done.returncode: say(f'\nscTAPE 1.1.2, adaptive={adapt}, {name}, repeat {seed}: failed: {done.stderr.strip().splitlines()[-1][:200]}'); continue
                out = pd.read_csv(folder/'out.tsv', sep='\t', index_col=0).set_axis(truth.index)[list(truth)]
                say(f'\nscTAPE 1.1.2, adaptive={adapt}, {name}, repeat {seed}, {time.time() - start:.0f} s: ' + ', '.join(f'{k} {v:.3f}' for k, v in scores(out.to_numpy(), truth.to_numpy()).items()))

def main():
    args = ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('--tasks', nargs='*', default=['pbmc', 'kang', 'tian', 'mixtures', 'hoek'])
    args.add_argument('--repeats', type=int, nargs='*', default=[0, 1, 2, 3, 4], help='which of the five')
    args.add_argument('--out', type=Path, help='file that the tables are added to')
    args.add_argument('--rows', type=Path, help='file that scores are added to after each repeat; with no tasks, its tables are printed')
    args.add_argument('--sctape', metavar='PYTHON', help='an interpreter that has scTAPE 1.1.2')
    args.add_argument('--coverage', nargs='*', metavar='WORD', help='intervals on held-out cells: all references, or those with a word in their name (see `kinds`)')
    args.add_argument('--stranger', nargs='*', metavar='WORD', help='the warning of an unknown type: all sets, or those with a word in their name')
    for flag in ('small', 'speed', 'ceiling'): args.add_argument(f'--{flag}', action='store_true')
    args = args.parse_args()
    warnings.simplefilter('ignore')
    def say(text):
        print(text, flush=True)
        if args.out: args.out.open('a').write(text.lstrip('\n') + '\n\n')
    if args.speed: return speed(say)
    if args.ceiling: return ceiling(say)
    if args.coverage is not None: return coverage(say, [(k, i) for k in kinds if any(w in k for w in args.coverage) for i in args.repeats if i < kinds[k]] if args.coverage else None, args.rows)
    if args.stranger is not None: return stranger(say, [(k, i) for k, (n, _) in strangers.items() if any(w in k for w in args.stranger) for i in args.repeats if i < n] if args.stranger else None, args.rows)
    if args.sctape: return sctape(args.sctape, say, args.repeats)
    jobs = [('demo', 0)] if args.small else [(t, i) for i in args.repeats for t in args.tasks if t != 'hoek' or i == 0]
    rows = pd.read_csv(args.rows) if args.rows and args.rows.exists() else None
    for job in jobs:
        rows = pd.concat([rows, repeat(*job)])
        if args.rows: rows.round(5).to_csv(args.rows, index=False)
    if not jobs or not args.rows: show(rows, say)

if __name__ == '__main__': main()
