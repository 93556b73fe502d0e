"""How good and how fast is the Gaussian-mixture VAE, beside the naive form, per-type independent NB, and Leiden?

    python benchmarks/gmvae.py labels        all labels, 5% of them, none: accuracy, ARI (beside Leiden), held-out log p(x); 3 seeds
    python benchmarks/gmvae.py quality       `evaluate` of generated cells: ours, scGM, NB gene by gene and type by type, the naive form at its own
                                             rate (our training time) and at 1e-3 (three times as long); 3 seeds, and their mean
    python benchmarks/gmvae.py naive         held-out log p(x) of the naive form after 1 to 10 times our training time
    python benchmarks/gmvae.py reference     2,700 cells x 13,000 genes, 17 types: time and memory; operations per round beside the naive form
    python benchmarks/gmvae.py --minute      a little of each on the demo cells

The data are PBMC3k and paul15 from $SCGM_DATA (`--data` picks). Each model sees 80% of each type and is judged on the rest. Times
are seconds of one core (`time.process_time`), so that a busy machine does not blur them; memory is VmHWM of this process.

The naive form: raw counts in, no library size, every type decoded three times (once per head) in each batch of 37, Adam at 6e-6.
"""
import os, re, time, warnings
from argparse import ArgumentParser
from pathlib import Path
import numpy as np, pandas as pd, scipy.sparse as sp, torch
from anndata import AnnData, read_h5ad
from sklearn.metrics import adjusted_rand_score
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from scgm_nb.batches import CellSource, Moment
from scgm_nb.entries import DataWarning
from scgm_nb.data import check
from scgm_nb.gmvae import GMVAE
from scgm_nb.learner import Learner, flat
from scgm_nb.likelihoods import count_log_prob, zinb
from scgm_nb.mixture import MixtureVAE, kl_between, log_normal
from scgm_nb.qc import cluster
from scgm_nb.quality import evaluate
from scgm_nb.scgm import ScGM
from scgm_nb.simulate import demo_cells, simulate
from scgm_nb.splits import split
from scgm_nb.vae import group_sums, start_dispersion

files = dict(pbmc3k='pbmc3k_10x.h5ad', paul15='paul15_mouse_myeloid.h5ad')

def load(name):
    "Counts of one data set, without rare types and silent genes"
    if name == 'demo': return check(demo_cells(), 'cell_type')
    a = read_h5ad(Path(os.environ['SCGM_DATA'])/files[name])
    a = a[(a.obs.cell_type != 'unassigned') & (a.obs.cell_type.map(a.obs.cell_type.value_counts()).astype(int) >= 20)]
    return check(a[:, np.asarray((a.X > 0).sum(0)).ravel() >= 3].copy(), 'cell_type')

def row(*values): print('| ' + ' | '.join(f'{v:.4g}' if isinstance(v, float) else str(v) for v in values) + ' |', flush=True)
def table(*names): row(*names); print('|' + '---|'*len(names), flush=True)
def clock(f):
    begun = time.process_time()
    return f(), time.process_time() - begun

def hide(cells, share, seed):
    "Labels become 'unknown', but for a share of each type, one cell at least"
    rng, names = np.random.default_rng([seed, 1]), cells.obs.cell_type.astype(str).to_numpy()
    keep = np.concatenate([rng.permutation(at := np.flatnonzero(names == t))[:max(1, round(share*len(at)))] for t in np.unique(names)])
    out = cells.copy()
    out.obs['cell_type'] = np.where(np.isin(np.arange(len(names)), keep), names, 'unknown')
    return out

def labels(data, seeds, steps):
    "All labels, few, none; and Leiden at the resolution that gives as many groups as there are types"
    table('data', 'labels', 'seed', 'held-out accuracy', 'ARI, training cells', 'ARI, held out', 'held-out log p(x)', 'seconds')
    threads = torch.get_num_threads()
    for name in data:
        cells = load(name)
        for seed in range(*seeds):
            train, test = split(cells, by='cell_type', seed=seed)
            own, theirs = (c.obs.cell_type.astype(str) for c in (train, test))
            ways = {'all': (train, dict()), '5%': (hide(train, .05, seed), dict(unlabelled='unknown')), 'none': (train, dict(labels=None, components=own.nunique()))}
            for k, (c, kw) in ways.items():
                g, seconds = clock(lambda: GMVAE.train(c, seed=seed, steps=steps, progress=False, **kw))
                a, b = (g.assign(c).idxmax(axis=1) for c in (train, test))
                row(name, k, seed, float((b == theirs).mean()) if k != 'none' else '', adjusted_rand_score(own, a), adjusted_rand_score(theirs, b), float(g.log_prob(test).mean()), seconds)
            groups = {r: cluster(train, resolution=r, seed=seed) for r in (.4, .7, 1., 1.4, 2.)}
            torch.set_num_threads(threads)        # finding neighbours has set it to all cores
            near = min(groups, key=lambda r: abs(groups[r].nunique() - own.nunique()))
            for what, r in (('default', .7), ('nearest to the number of types', near)): row(name, f'none: Leiden, {what} ({groups[r].nunique()} groups)', seed, '', adjusted_rand_score(own, groups[r]), '', '', '')

def dense(*sizes): return nn.Sequential(*[layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.ReLU())][:-1])

class Naive(nn.Module):
    "The naive form of the chapter"
    def __init__(self, genes, types):
        super().__init__()
        self.genes, self.types, self.who = genes, types, dense(genes, 128, types)
        self.mean, self.log_var = [dense(genes + types, 128, 64, 32) for _ in range(2)]
        self.prior_mean, self.prior_log_var = [dense(types, 128, 32) for _ in range(2)]
        self.up, self.heads = nn.Sequential(nn.Linear(32, 64), nn.ReLU()), nn.ModuleList([dense(64, 128, genes) for _ in range(3)])
    def decode(self, z):
        gate, mean, size = [head(self.up(z)) for head in self.heads]
        return F.elu(mean) + 1 + 1e-6, 1/(F.elu(size) + 1 + 1e-4), gate.sigmoid().clamp(1e-6, 1 - 1e-6)
    def place(self, x, y): return [net(torch.cat([x.expand(*y.shape, -1), F.one_hot(y, self.types)], -1)) for net in (self.mean, self.log_var)]
    def clouds(self): return [net(torch.eye(self.types)) for net in (self.prior_mean, self.prior_log_var)]
    def loss(self, x, y, moment):
        q, (M, LV) = self.who(x).softmax(-1), self.clouds()
        total = (q*((q + 1e-10)/(F.one_hot(y[:, 0], self.types) + 1e-10)).log()).sum()
        for k in range(self.types):
            m, lv = self.place(x, torch.full_like(y[:, 0], k))
            z = m + (lv/2).exp()*moment.normal(32)
            μ, φ, π = self.decode(z)[0], self.decode(z)[1], self.decode(z)[2]
            total = total + q[:, k] @ (kl_between(m, lv, M[k], LV[k]).sum(1) - count_log_prob(zinb, x, μ, φ, π))
        return total

@torch.no_grad()
def naive_log_prob(naive, cells, shares):
    "log p(x) of held-out cells, estimated as for ours"
    (naive.means, naive.log_vars), naive.log_pi, naive.kind = naive.clouds(), torch.as_tensor(np.log(shares)).float(), 'zinb'
    naive.features, naive.log_q, naive.rate, naive.params = lambda x: x, lambda x: naive.who(x).log_softmax(-1), lambda z, ℓ: naive.decode(z), lambda p: p
    naive.log_clouds = lambda z: log_normal(z[:, None], naive.means, naive.log_vars)
    rows = np.array_split(np.arange(cells.n_obs), max(1, cells.n_obs//32))
    return torch.cat([MixtureVAE.weighted(naive, torch.as_tensor(cells.X[r].toarray()), None, r, draws=16, seed=0) for r in rows]).mean().item()

@torch.no_grad()
def naive_cells(naive, y, types, genes, seed=0):
    "Generated cells of the naive form"
    naive.eval()
    torch.manual_seed(seed)
    M, LV = naive.clouds()
    μ, φ, π = (p.double() for p in naive.decode(M[y] + (LV[y]/2).exp()*torch.randn(len(y), 32)))
    X = torch.poisson(torch.distributions.Gamma(1/φ, 1/(φ*μ)).sample())*(torch.rand_like(π) > π)
    return AnnData(sp.csr_matrix(X.float().numpy()), pd.DataFrame({'cell_type': pd.Categorical.from_codes(y, types)}, index=[f'n{i}' for i in range(len(y))]), pd.DataFrame(index=genes))

def naive_learner(train, lr=6e-6, steps=10**9):
    torch.manual_seed(0)
    return Learner(Naive(train.n_vars, train.obs.cell_type.nunique()), CellSource(train, 'cell_type', batch_size=37), steps=steps, lr=lr, schedule=flat, warm=0, decay=0, ema=0., progress=False)

def practise(learner, until, spent=0.):
    "Train until so many seconds are spent; how many they were"
    while spent < until: spent += clock(learner.one_step)[1]
    return spent

def naive_fake(learner, test, seed): return naive_cells(learner.model, held_types(test), types_of(test), test.var_names, seed)

def practised(train, test, lr, seconds, seed):
    "Cells of the naive form after so many seconds of training"
    practise(learner := naive_learner(train, lr), seconds)
    return naive_fake(learner, test, seed)

def naive(data, seed, steps, times=(1, 3, 10), rates=(6e-6,)):
    "The naive form, given more and more of our training time"
    table('data', 'model', 'times our training', 'seconds', 'rounds', 'held-out log p(x)')
    for name in data:
        train, test = split(load(name), by='cell_type', seed=seed)
        g, ours = clock(lambda: GMVAE.train(train, seed=seed, steps=steps, progress=False))
        row(name, 'ours', 1, ours, g.report['updates']/-(-train.n_obs//128), float(g.log_prob(test).mean()))
        for lr in rates:
            learner, spent = naive_learner(train, lr), 0.
            for k in times:
                spent = practise(learner, k*ours, spent)
                row(name, f'naive, rate {lr:g}', k, spent, learner.step/len(learner.source), naive_log_prob(learner.model, test, g.shares.to_numpy()))
        compare(name, train, test, g, {'naive, after all of it': naive_fake(learner, test, seed)}, seed)

def independent(train, y, types, seed):
    "Each gene of each type drawn alone: NB with the moments of the type, library sizes of its training cells"
    codes, rng, out = train.obs.cell_type.cat.codes.to_numpy().astype(int), np.random.default_rng(seed), []
    shares = group_sums(train.X, codes)
    ℓ = np.asarray(train.X.sum(1)).ravel()
    for k in np.unique(y):
        n, X = (y == k).sum(), train.X[codes == k]
        φ = start_dispersion(X, np.zeros(X.shape[0], int)).astype(float)
        out.append(sp.csr_matrix(rng.poisson(rng.gamma(1/φ, φ, (n, train.n_vars))*shares[k]/shares[k].sum()*rng.choice(ℓ[codes == k], n)[:, None]).astype(np.float32)))
    return AnnData(sp.vstack(out, 'csr'), pd.DataFrame({'cell_type': pd.Categorical.from_codes(np.sort(y), types)}, index=[f'i{i}' for i in range(len(y))]), pd.DataFrame(index=train.var_names))

def types_of(test): return list(test.obs.cell_type.cat.categories)
def held_types(test): return np.sort(test.obs.cell_type.cat.codes.to_numpy().astype(int))
def asked(test): return {t: int((test.obs.cell_type == t).sum()) for t in types_of(test)}

def span(r): return f'{r.low:.3g} to {r.high:.3g}'

def compare(name, train, test, g, others, seed):
    "`evaluate` of as many cells per type as are held out; per-type figures as their mean over types"
    fakes = {'ours': g.generate(asked(test), seed=seed), 'independent NB per type': independent(train, held_types(test), types_of(test), seed), **others}
    floor, found = None, {}
    for k, fake in fakes.items():
        report = evaluate(test, fake, train, labels='cell_type', trees=50, splits=5, floor=floor, progress=False)
        floor, found[k] = floor or report, report.table.assign(off=lambda t: t.verdict.str.startswith(('above', 'below')))
    table(name, 'type', 'floor', *fakes)
    out = pd.DataFrame(figures(found)).T
    for key, r in out.iterrows(): row(*key, span(r), *r[list(fakes)])
    row('figures off the floor', '', '', *[f'{int(f.off.sum())} of {len(f)}' for f in found.values()])
    return out

def figures(found):
    "Value of each figure by model, and its floor: of all cells, and as the mean over types"
    first, out = found['ours'], {}
    for metric, group in first.groupby('metric', sort=False):
        for what, at in (('all', group.type == 'all'), ('mean over types', group.type != 'all')):
            of = lambda f: f[(f.metric == metric) & ((f.type == 'all') == (what == 'all'))].value.mean()
            if at.any(): out[metric, what] = dict(low=group[at].low.mean(), high=group[at].high.mean()) | {k: float(of(f)) for k, f in found.items()}
    return out

def rivals(train, test, ours, steps, seed):
    "Cells of scGM, and of the naive form at its own rate for our training time, and at 1e-3 for three times as long"
    scgm = ScGM.train(train, 'cell_type', seed=seed, steps=steps, net_steps=steps, progress=False)
    return dict(scGM=scgm.generate(asked(test), seed=seed)) | {f'naive, {lr:g}, {k} x our training': practised(train, test, lr, k*ours, seed) for lr, k in ((6e-6, 1), (1e-3, 3))}

def quality(data, seeds, steps, alone=False):
    for name in data:
        runs = []
        for seed in range(*seeds):
            train, test = split(load(name), by='cell_type', seed=seed)
            g, ours = clock(lambda: GMVAE.train(train, seed=seed, steps=steps, progress=False))
            runs.append(compare(f'{name}, seed {seed}', train, test, g, {} if alone else rivals(train, test, ours, steps, seed), seed))
        mean, sd = sum(runs)/len(runs), pd.concat(runs, keys=range(len(runs))).groupby(level=[1, 2], sort=False).std()
        table(f'{name}, mean of seeds {list(range(*seeds))}', 'type', 'floor', *[f'{c} ± sd' for c in mean.columns[2:]])
        for key, r in mean.iterrows(): row(*key, span(r), *[f'{r[c]:.4g} ± {sd.loc[key, c]:.2g}' for c in mean.columns[2:]])

def flops(model, n=4, cells=2700):
    "Operations of one round, forward and back, from one batch"
    x, y = torch.ones(n, model.genes), torch.zeros(n, 1, dtype=torch.long)
    with FlopCounterMode(display=False) as count:
        out = model.loss(x, y, Moment((0, 0, 0), torch.arange(n)))
        (out[0] if isinstance(out, tuple) else out).backward()
    return count.get_total_flops()*cells/n

def peak(): return int(re.search(r'VmHWM:\s+(\d+)', Path('/proc/self/status').read_text())[1])/2**20

def reference(cells, genes, types):
    "Time and memory of a reference of the asked size"
    a, b = flops(Naive(genes, types)), flops(MixtureVAE(genes, 16, types=types))
    print(f'operations per round at {genes:,} genes and {types} types: naive {a:.3g}, ours {b:.3g}: {a/b:.0f} times fewer', flush=True)
    a = simulate(cells, genes, n_types=types, n_batches=1, n_donors=1, effect=0, seed=0)
    begun, before = time.time(), peak()
    g, seconds = clock(lambda: GMVAE.train(a, seed=0, progress=False))
    print(f'{cells:,} cells x {genes:,} genes, {a.obs.cell_type.nunique()} types, {a.X.nnz/cells:.0f} genes per cell: {seconds:.0f} s of cores, {time.time() - begun:.0f} s by the clock, {g.report["updates"]} updates, peak {peak():.2f} GiB (before: {before:.2f})', flush=True)

def main():
    args = ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('part', nargs='?', default='all', choices=['labels', 'quality', 'naive', 'reference', 'all'])
    args.add_argument('--minute', action='store_true')
    args.add_argument('--data', nargs='*', default=list(files))
    args.add_argument('--seeds', nargs=2, type=int, default=(0, 3), help='first, and one past the last')
    args.add_argument('--rates', nargs='*', type=float, default=(6e-6, 1e-3), help='learning rates of the naive form')
    args.add_argument('--alone', action='store_true', help='`quality` without scGM and the naive form')
    args.add_argument('--steps', type=int, help='updates of ours (and of scGM); its defaults otherwise')
    args = args.parse_args()
    warnings.simplefilter('ignore', DataWarning); torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', 1)))
    if args.minute: args.data, args.seeds = ['demo'], (0, 1)
    steps, wanted = 100 if args.minute else args.steps, lambda part: args.part in (part, 'all')
    if wanted('labels'): labels(args.data, args.seeds, steps)
    if wanted('quality'): quality(args.data, args.seeds, steps, args.alone)
    if wanted('naive'): naive(args.data, args.seeds[0], steps, times=(1, 2) if args.minute else (1, 3, 10), rates=args.rates)
    if wanted('reference'): reference(*((300, 500, 5) if args.minute else (2700, 13_000, 17)))

if __name__ == '__main__': main()
