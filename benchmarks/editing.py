"""How good are edits? Tables for the methods of `ScGM.edit`, beside no change, both shifts, and real cells of the target.

    python benchmarks/editing.py seen                 Kang, all pairs seen, 3 seeds
    python benchmarks/editing.py unseen               Kang, each type x stim held out in turn
    python benchmarks/editing.py truth study genes    known counterfactuals: the book's simulator, and a world as the study had it; 6 of 30 genes set
    python benchmarks/editing.py perturb peaks        Perturb-seq, 33 conditions; ATAC, dexamethasone
    python benchmarks/editing.py enhance              both worlds: enhancement against encoder and decoder, kNN, MAGIC
    python benchmarks/editing.py --small              the simulator's tables on few cells: a minute
Options: --seeds 0 1 2; --models FOLDER keeps trained models there; --rows FOLDER keeps the figures of every seed, so that long tables can be made in pieces:
with --seeds and nothing behind it, the table of what is kept is printed. --only "B cells": a type of `unseen`. Real data are found through SCGM_DATA; a model
takes one or two minutes of one core.

E: energy distance (Euclid, no diagonal) on 30 axes fitted on all cells; `own` counts are thinned or added to, `fresh` ones drawn anew.
identity: share of cells whose nearest source, on the 600 genes that change least, is their own; `AE` compares expected log profiles of edited
cell and source, `fresh` compares redrawn counts with the counts of the source (chance and the ceiling, no change, are rows of the table).
"""
import os, warnings
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
import numpy as np, pandas as pd, scipy.sparse as sp, torch
from anndata import AnnData, read_h5ad
from scipy.stats import ttest_ind
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import scgm_nb as sg
from scgm_nb.distances import between, energy, fit_space, project
from scgm_nb.measures import apart, corr
from scgm_nb.scgm import ScGM
from scgm_nb.sdedit import *
from scgm_nb.walks import *
from scgm_nb.effects import *
from scgm_nb.moved import *
from scgm_nb.moved import balanced
from scgm_nb.sdedit import bright, familiar, preferred, settled
from scgm_nb.wishes import *
from scgm_nb.enhance import best_of, foretold, pooled_neighbours, split_molecules

torch.set_num_threads(1); warnings.filterwarnings('ignore')
load = lambda name: read_h5ad(Path(os.environ['SCGM_DATA'])/name)
kang = lambda: load('kang2018_ifnb_typed_1267genes.h5ad')
logs = lambda X: sg.normalise(sp.csr_matrix(X, dtype=np.float32))
show = lambda title, table: print(f'\n{title}\n{table.round(3).to_string()}', flush=True)

def model(name, cells, labels, seed, folder, **more):
    "A trained model, from the folder if it is there"
    path = Path(folder)/name.replace(' ', '_') if folder else None
    if path and path.exists(): return ScGM.load(path)
    gm = ScGM.train(cells, labels, seed=seed, progress=False, **more)
    if path: gm.save(path)
    return gm

class Case:
    "Cells to be edited, what they should become, and rulers"
    def __init__(self, gm, source, target, to, *, space, seed=0, known=None, states=None):
        self.gm, self.X, self.T, self.seed, self.space = gm, source.X, target.X, seed, space
        self.y, self.goals = gm.targets_of(source, to)
        self.rows = np.arange(source.n_obs)
        self.u, self.at = gm.placed(self.X, rows=self.rows), gm.refined(self.X, self.y, rows=self.rows, seed=seed)
        self.before, self.known, self.states = gm.log_shares(self.at[:, :-1], self.y), known, states
        self.δ = np.asarray(logs(self.T).mean(0) - logs(self.X).mean(0)).ravel()
        self.quiet = np.argsort(np.abs(self.δ))[:min(600, len(self.δ)//2)]
        self.P = project(logs(self.T), space)[1]

    def change(self, **how): return self.gm.changed(self.u, self.y, self.goals, X=self.X, at=self.at, rows=self.rows, seed=self.seed, known=self.known, states=self.states, **how)
    def counts(self, change, luck, seed=0): return self.gm.moved_counts(self.X, self.before, change, rows=self.rows, luck=luck, seed=self.seed + seed)

    def hits(self, a, b): return apart(a[:, self.quiet], b[:, self.quiet]).argmin(1) == self.rows

    def figures(self, change, redraws=3):
        "Per-cell and whole figures of an edit"
        own, fresh = ([self.counts(change, luck, 100*r) for r in range(redraws)] for luck in ('own', 'fresh'))
        S = logs(self.X).toarray()
        Q = {k: [project(logs(X), self.space)[1] for X in part] for k, part in dict(own=own, fresh=fresh).items()}
        E = {f'E {k}': np.mean([energy(*between(self.P, q)) for q in v]) for k, v in Q.items()}
        move = np.mean([np.asarray(logs(X).mean(0)).ravel() for X in fresh], 0) - S.mean(0)
        top = np.argsort(-np.abs(self.δ))[:100]
        hits = {'identity AE': self.hits(bright(self.before + balanced(self.before, change)), bright(self.before)),
                'identity fresh': np.mean([self.hits(logs(X).toarray(), S) for X in fresh], 0)}
        return E | {k: v.mean() for k, v in hits.items()} | {'Pearson delta': corr(self.δ, move), 'slope, 100 genes': self.δ[top] @ move[top]/(self.δ[top] @ self.δ[top])}, Q, hits

def random_target(case, rng):
    "Real target cells in the place of edited ones: most real, nobody's"
    half = rng.permutation(len(case.P))
    return {f'E {k}': energy(*between(case.P[half[::2]], case.P[half[1::2]])) for k in ('own', 'fresh')} | {'identity AE': 1/len(case.rows), 'identity fresh': 1/len(case.rows)}

def boot(P, A, B, rng, n=300):
    "Resampled difference of energy distances of two edits of the same cells to the same targets"
    (pp, aa, pa), (_, bb, pb) = between(P, A), between(P, B)
    out = []
    for _ in range(n):
        i, j = rng.integers(len(P), size=len(P)), rng.integers(len(A), size=len(A))
        out.append((2*pa[np.ix_(i, j)].mean() - aa[np.ix_(j, j)].mean()) - (2*pb[np.ix_(i, j)].mean() - bb[np.ix_(j, j)].mean()))
    return np.array(out)

ways = {'no change': None, 'gene_shift': dict(method='gene_shift'), 'latent_shift': dict(method='latent_shift'), 'sdedit .4': dict(method='sdedit', t=.4), 'sdedit .8': dict(method='sdedit', t=.8),
        'paired': dict(method='paired'), 'ddpm': dict(method='ddpm'), 'ode': dict(method='ode'),
        'state_shift': dict(method='state_shift'), 'joint': dict(method='joint'), 'anchored': dict(method='anchored')}

def parts(cells, seed):
    cells.obs['pair'] = cells.obs.cell_type.astype(str) + ' ' + cells.obs.condition.astype(str)
    return sg.split(cells, by='pair', test=.25, seed=seed)

def behind(gm, train, seed):
    "What shifts need, from the training cells"
    real = gm.meet(train, list(gm.labels))
    return real, dict(known=gm.portraits(real), states=gm.states(real, seed=seed))

def taken(gm, cells, to, ways, real, seed, new=False):
    "What `auto` takes for some cells, and the table it chose from"
    table = gm.tried(*gm.targets_of(cells, to), ways, reference=real, seed=seed)
    return settled(table, ways, new), table

def pick(cells, kind, condition): return cells[(cells.obs.cell_type == kind) & (cells.obs.condition == condition)].copy()

def seen(seed, folder, small=False):
    "Kang, all pairs seen"
    cells, rows, diffs, rng = kang(), [], [], np.random.default_rng(seed)
    space, (train, test) = fit_space(logs(cells.X)), parts(cells, seed)
    gm = model(f'kang_{seed}', train, ['cell_type', 'condition'], seed, folder)
    real, base = behind(gm, train, seed)
    chosen, table = taken(gm, test[test.obs.condition == 'ctrl'], {'condition': 'stim'}, familiar, real, seed)
    for kind in cells.obs.cell_type.unique():
        case, Q, hits = Case(gm, pick(test, kind, 'ctrl'), pick(test, kind, 'stim'), {'condition': 'stim'}, space=space, seed=seed, **base), {}, {}
        for name, how in (ways | {'auto': chosen}).items():
            f, Q[name], hits[name] = case.figures(0*case.before if how is None else case.change(**how))
            rows.append(dict(kind=kind, way=name, **f))
        rows.append(dict(kind=kind, way='real target cells (floor)', **random_target(case, rng)))
        for name in ('ddpm', 'ode', 'state_shift', 'joint', 'anchored', 'auto'):
            E = {f'E {k}': np.mean([boot(case.P, a, b, rng, 100) for a, b in zip(Q[name][k], Q['latent_shift'][k])], 0) for k in ('own', 'fresh')}
            I = {k: np.array([(hits[name][k].astype(float) - hits['latent_shift'][k])[rng.integers(len(case.rows), size=len(case.rows))].mean() for _ in range(100)]) for k in hits[name]}
            diffs.append(pd.DataFrame(E | I).assign(way=name, kind=kind, b=range(100)))
    return dict(figures=pd.DataFrame(rows), differences=pd.concat(diffs), choice=named_rows(table, took=chosen['method']))

def show_seen(figures, differences, choice):
    by_seed('Kang, all pairs seen: mean over five types', figures)
    d = differences.groupby(['way', 'b'], sort=False)[['E own', 'E fresh', 'identity AE', 'identity fresh']].mean().groupby('way', sort=False)
    show('difference to latent_shift, paired bootstrap over cells: 2.5%, mean, 97.5%', pd.concat({'low': d.quantile(.025), 'mean': d.mean(), 'high': d.quantile(.975)}, axis=1).T)
    show('what auto chose from, training cells (energy distance)', choice)

def unseen(seed, folder, small=False, only=None):
    "Kang, each type x stim held out"
    cells, rows, tables = kang(), [], []
    space, (train, test) = fit_space(logs(cells.X)), parts(cells, seed)
    for kind in only or cells.obs.cell_type.unique():
        part = train[~((train.obs.cell_type == kind) & (train.obs.condition == 'stim'))].copy()
        gm = model(f'kang_{seed}_{kind[:4]}', part, ['cell_type', 'condition'], seed, folder)
        real, base = behind(gm, part, seed)
        case = Case(gm, pick(test, kind, 'ctrl'), pick(cells, kind, 'stim'), {'condition': 'stim'}, space=space, seed=seed, **base)
        how, table = taken(gm, pick(test, kind, 'ctrl'), {'condition': 'stim'}, preferred, real, seed, new=True)
        tables.append(named_rows(table, held_out=kind, took=f'{how["method"]}, near={how.get("near")}'))
        every = {k: ways[k] for k in ('no change', 'gene_shift', 'latent_shift', 'ode', 'state_shift', 'joint')} | {'composed': dict(method='composed')}
        every |= {f'{m}, relatives first': dict(method=m, near=.3) for m in ('gene_shift', 'latent_shift', 'blend_shift', 'state_shift')} | {'auto': how}
        for way, h in every.items(): rows.append(dict(kind=kind, way=way, **case.figures(0*case.before if h is None else case.change(**h), 2)[0]))
        target = sp.csr_matrix(case.T)
        b = gm.log_shares(gm.refined(target, rows=range(target.shape[0]))[:, :-1])
        E = energy(*between(case.P, project(logs(gm.moved_counts(target, b, 0*b, rows=range(len(b)), luck='fresh')), space)[1]))
        rows.append({'kind': kind, 'way': 'decoder on real targets (ceiling)', 'E own': E, 'E fresh': E})
    return dict(figures=pd.DataFrame(rows), choice=pd.concat(tables))

def show_unseen(figures, choice):
    for k in ('E own', 'E fresh', 'Pearson delta', 'identity AE'):
        p = figures.pivot_table(index='way', columns='kind', values=k, sort=False)
        show(f'Kang, type x stim held out: {k} (runs per type: {figures[figures.way == "auto"].kind.value_counts().to_dict()})', p.assign(mean=p.mean(axis=1)))
    per = figures.groupby(['way', 'seed'], sort=False)['E own'].agg(['mean', 'count']).query('count == 5')['mean'].groupby('way', sort=False).agg(['mean', 'std', 'count'])
    show('mean of E own over the five types: mean and spread (sd) over seeds with all five', per)
    show('what auto chose from (energy distance; columns: the kind left out inside)', choice)

def simulated(seed, small=False):
    "Training cells, control cells to be edited, and the same cells stimulated"
    a = sg.simulate(900, 400, n_types=3, n_batches=1, n_donors=2, seed=seed) if small else sg.simulate(3400, 1500, n_types=5, n_batches=1, n_donors=2, seed=seed)
    n = 600 if small else 2400
    rest = a[n:].copy()
    source = rest[rest.obs.condition == 'ctrl'].copy()
    return a[:n].copy(), source, sg.counterfactual(source, condition='stim', seed=seed + 1)

def book(seed, small=False):
    "The book's simulator: training cells, control cells, their counts under the stimulus, and true shares before and after"
    train, source, target = simulated(seed, small)
    share = lambda c: (lambda r: r/r.sum(1, keepdims=True))(sg.truth(source, condition=c))
    return train, source, target.X, share('ctrl'), share('stim')

six = {'CD14+ Monocyte': 'Mono', 'CD19+ B': 'B', 'CD4+/CD25 T Reg': 'CD4T', 'CD4+/CD45RA+/CD25- Naive T': 'CD4T', 'CD4+/CD45RO+ Memory': 'CD4T', 'CD56+ NK': 'NK',
       'CD8+ Cytotoxic T': 'CD8T', 'CD8+/CD45RA+ Naive Cytotoxic': 'CD8T', 'Dendritic': 'DC'}

def study(seed, small=False):
    """The world of the study that set the figures, rebuilt from its description: cells on the first 20 axes of 700 real blood cells (765 genes, 6 types), Poisson counts at about 1,200;
    45 shared genes (30 up, 15 down) and 15 of each type, scaled by a responsiveness that depends on the state of the cell (here: on the two widest axes of its type)"""
    demo, rng, n = sg.demo_cells(), np.random.default_rng([seed, 77]), 1500 if small else 5000
    kind = demo.obs.cell_type.astype(str).map(six).to_numpy()
    L, kind = logs(demo.X[~pd.isna(kind)]).toarray().astype(float), pd.Categorical(kind[~pd.isna(kind)])
    U, S, V = np.linalg.svd(L - L.mean(0), full_matrices=False)
    P, genes = U[:, :20]*S[:20], rng.permutation(np.argsort(-L.mean(0))[:400])
    effects, size = np.zeros((6, L.shape[1])), lambda n: rng.uniform(.5, 1.5, n)
    effects[:, genes[:30]], effects[:, genes[30:45]] = size(30), -size(15)
    k, z, response = rng.choice(6, n, p=np.bincount(kind.codes)/len(kind)), np.zeros((n, 20)), np.zeros(n)
    for t in range(6):
        effects[t, genes[45 + 15*t:60 + 15*t]] = size(15)*rng.choice([-1, 1], 15)
        mean, cov, mine = P[kind.codes == t].mean(0), np.cov(P[kind.codes == t].T), k == t
        w, E = np.linalg.eigh(cov)
        z[mine] = rng.multivariate_normal(mean, cov, mine.sum())
        response[mine] = 2/(1 + np.exp(-2**.5*((z[mine] - mean) @ (E[:, -2:]/np.sqrt(w[-2:]))).sum(1)))
    share = lambda s: s/s.sum(1, keepdims=True)
    before = share(np.expm1(np.maximum(L.mean(0) + z @ V[:20], .02)))
    after, depth, stim = share(before*np.exp(response[:, None]*effects[k])), 1200*np.exp(rng.normal(0, .3, (n, 1))), rng.random(n) < .5
    X0, X1 = (rng.poisson(depth*s).astype(np.float32) for s in (before, after))
    obs = pd.DataFrame(dict(cell_type=pd.Categorical(kind.categories[k]), condition=pd.Categorical(np.where(stim, 'stim', 'ctrl')), response=response), index=[f'cell{i}' for i in range(n)])
    cells, test = AnnData(sp.csr_matrix(np.where(stim[:, None], X1, X0)), obs, pd.DataFrame(index=demo.var_names)), rng.permutation(n) < n//4
    at = np.flatnonzero(test & ~stim)
    return cells[~test].copy(), cells[at].copy(), sp.csr_matrix(X1[at]), before[at], after[at]

def effect_r(a, b, top):
    "Correlation of what is special in the effect on each cell, over the strongest genes"
    a, b = (v[:, top] - v[:, top].mean(0) for v in (a, b))
    return corr(a.ravel(), b.ravel())

quick = dict(steps=600, net_steps=1500)
share_log = lambda share: bright(np.log(np.maximum(share, 1e-9)))

def truth(seed, folder, small=False, world=book, most=100):
    "Known counterfactuals: effect inside a type, own counterfactual as nearest"
    rows, readable = [], []
    train, source, X1, share0, share1 = world(seed, small)
    gm = model(f'{world.__name__}_{seed}', train, ['cell_type', 'condition'], seed, folder, **(quick if small else {}))
    (real, base), space = behind(gm, train, seed), fit_space(logs(train.X))
    chosen, table = taken(gm, source, {'condition': 'stim'}, familiar, real, seed)
    for kind in source.obs.cell_type.cat.categories:
        mine = np.flatnonzero((source.obs.cell_type == kind).to_numpy())[:most]
        if len(mine) < 20: continue
        cells = source[mine].copy()
        case = Case(gm, cells, AnnData(X1[mine], cells.obs, cells.var), {'condition': 'stim'}, space=space, seed=seed, **base)
        true0, true1, now = share_log(share0[mine]), share_log(share1[mine]), bright(case.before)
        top = np.argsort(-np.abs((true1 - true0).mean(0)))[:100]
        for name, z in (('encoder', case.u[:, :-1]), ('second sight', case.at[:, :-1]), ('30 axes of the counts', project(logs(case.X), space)[1])):
            guess = cross_val_predict(make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 4, 9))), z, cells.obs.response, cv=5)
            readable.append(dict(way=name, r=corr(guess, cells.obs.response)))
        v = gm.refined(X1[mine], case.goals[0][1], rows=case.rows)
        every = {k: 0*case.before if h is None else case.change(**h) for k, h in (ways | {'auto': chosen}).items()}
        answer = cells.obs.response.to_numpy()/cells.obs.response.mean()
        every['bound: latent shift times how strongly the cell truly answers'] = every['latent_shift']*answer[:, None]
        every['oracle: the true counterfactual, through the autoencoder'] = gm.log_shares(v[:, :-1], case.goals[0][1]) - case.before
        for name, change in every.items():
            after = bright(case.before + balanced(case.before, change))
            near, E = apart(after, true1).argmin(1) == case.rows, energy(*between(case.P, project(logs(case.counts(change, 'own')), space)[1]))
            rows.append(dict(way=name, effect_r=effect_r(after - now, true1 - true0, top), own_nearest=near.mean(), chance=1/len(near), E_own=E, RMSE=np.sqrt(((after - true1)**2).mean())))
    return dict(figures=pd.DataFrame(rows), readable=pd.DataFrame(readable), choice=named_rows(table, took=chosen['method']))

def show_truth(figures, readable, choice, world='the simulator of the book'):
    by_seed(f'{world}: how strongly a cell will answer, read from it before the stimulus (ridge regression inside a type, r with the truth)', readable)
    by_seed(f'{world}: known counterfactuals, mean over types', figures)
    show('what auto chose from, training cells (energy distance)', choice)

def genes(seed, folder, small=False):
    "Six of thirty genes that answer together are set; do the others follow?"
    rows = []
    train, source, _ = simulated(seed, small)
    gm = model(f'book_{seed}', train, ['cell_type', 'condition'], seed, folder, **(quick if small else {}))
    effects = source.varm['effects'].to_numpy()
    loud = np.asarray(train.X.mean(0)).ravel()
    induced = np.flatnonzero(effects.min(1) > .1)
    induced = induced[np.argsort(-loud[induced])][:30 if not small else 8]
    rng = np.random.default_rng(seed)
    for kind in source.obs.cell_type.cat.categories:
        mine = (source.obs.cell_type == kind).to_numpy()
        part = source[mine]
        rate = lambda c: np.log(sg.truth(part, condition=c))
        true = (rate('stim') - rate('ctrl')).mean(0)
        six, rest = np.split(rng.permutation(induced), [6 if not small else 3])
        y, r = gm.codes_of(part), np.arange(part.n_obs)
        for name, dial in (('told: ctrl', {}), ('told nothing of the condition', dict(release=True))):
            w = gm.wish({source.var_names[g]: ('fold', float(np.exp(true[g]))) for g in six})
            w.paint_now, w.paint = w.paint, lambda before, change: change
            yy = np.where(np.arange(y.shape[1]) == list(gm.labels).index('condition'), -1, y) if dial else y
            u, before, change = gm.edited(part.X, yy, [(1., yy)], how=dict(method='ddpm'), rows=r, wish=w, seed=seed)
            mean, quiet = change.mean(0), np.argsort(np.abs(true))[:600]
            near = apart(bright(before + change)[:, quiet], bright(before)[:, quiet]).argmin(1) == r
            rows.append(dict(seed=seed, way=name, induced=len(induced), reach_before_paint=(mean[six]/true[six]).mean(), followers_r=corr(true[rest], mean[rest]), all_r=corr(true, mean), followers_slope=true[rest] @ mean[rest]/(true[rest] @ true[rest]), identity_AE=near.mean(), chance=1/len(r)))
    return dict(figures=pd.DataFrame(rows))

def show_genes(figures): by_seed('simulator: 6 of 30 induced genes set at their stimulated level (painted genes are exact in the result)', figures)

def many(name, cells, labels, base, seed, folder, *, most=100, **more):
    "Many conditions: each method from control cells to every condition, judged on cells put aside"
    rows, space, rng = [], fit_space(logs(cells.X)), np.random.default_rng(seed)
    cells.obs['pair'] = cells.obs[labels].astype(str).agg(' '.join, axis=1)
    train, test = sg.split(cells, by='pair', test=.25, seed=seed)
    gm = model(f'{name}_{seed}', train, labels, seed, folder, **more)
    (real, behind_it), column = behind(gm, train, seed), labels[-1]
    for pair in sorted(test.obs.pair.unique()):
        target = test[test.obs.pair == pair].copy()
        where = target.obs.iloc[0]
        source = test[np.logical_and.reduce([test.obs[c] == where[c] for c in labels[:-1]] + [test.obs[column] == base])]
        if where[column] == base or target.n_obs < 10 or source.n_obs < 10: continue
        case = Case(gm, source[:most].copy(), target, {column: where[column]}, space=space, seed=seed, **behind_it)
        every = {k: ways[k] for k in ('no change', 'gene_shift', 'latent_shift', 'ode', 'ddpm', 'state_shift', 'joint', 'anchored')} | {'auto': taken(gm, source, {column: where[column]}, familiar, real, seed)[0]}
        out = {k: 0*case.before if h is None else case.change(**h) for k, h in every.items()}
        singles = singles_of(gm, where, column)
        if singles: out['additive sum of singles'] = np.tile(sum(case.known[s].genes - case.known[tuple(case.y[0])].genes for s in singles if s in case.known), (len(case.rows), 1))
        about = dict(pair=pair, double=bool(singles))
        rows += [dict(way=k, **about, **case.figures(change, 1)[0]) for k, change in out.items()] + [dict(way='real target cells (floor)', **about, **random_target(case, rng))]
    return dict(figures=pd.DataFrame(rows))

def singles_of(gm, where, column):
    "Codes of the two single conditions of a pair, if both are names"
    both = str(where[column]).split('+')
    if len(both) < 2 or not set(both) <= set(gm.labels[column]): return []
    return [tuple(gm.table_codes(pd.DataFrame({c: [where[c] if c != column else single] for c in gm.labels}))[0]) for single in both]

def show_many(figures, name):
    by_seed(f'{name}: mean over {figures.pair.nunique()} conditions', figures.drop(columns=['pair', 'double']))
    double = figures[figures.double]
    if len(double): by_seed(f'{name}: the {double.pair.nunique()} pairs whose two singles are known', double.drop(columns=['pair', 'double']))

def perturb(seed, folder, small=False): return many('perturb', load('perturbseq_norman19_mcfaline23_500hvg.h5ad'), ['cell_type', 'condition'], 'control', seed, folder)

def peaks(seed, folder, small=False):
    cells = load('scicar_a549_dex_atac.h5ad')
    cells = cells[:, np.sort(np.argsort(-np.asarray(cells.X.sum(0)).ravel())[:5000])].copy()      # the 5,000 peaks most often open
    cells = cells[np.asarray(cells.X.sum(1)).ravel() > 0].copy()
    cells.obs = cells.obs[['condition']].astype('category')
    return many('peaks', cells, ['condition'], 'dex_0h', seed, folder, kind='bernoulli')

def magic(X, python):
    "MAGIC with its defaults, by the interpreter that has `magic-impute`: square roots of counts per cell, diffused, brought back"
    import subprocess, tempfile
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f'{folder}/in.npz', X=X.toarray())
        code = f"import numpy as np, magic; X = np.load('{folder}/in.npz')['X']; p = X/X.sum(1, keepdims=True)*1e4; np.save('{folder}/out.npy', np.maximum(np.asarray(magic.MAGIC(verbose=0, random_state=0).fit_transform(np.sqrt(p))), 0)**2)"
        subprocess.run([python, '-c', code], check=True, capture_output=True)
        out = np.load(f'{folder}/out.npy')
    return out/out.sum(1, keepdims=True)

def enhance(seed, folder, small=False, world=book):
    "Enhancement of test cells at a tenth less depth: hidden molecules foretold, truth, and a null split"
    train, source, _, true, _ = world(seed, small)
    gm = model(f'{world.__name__}_{seed}', train, ['cell_type', 'condition'], seed, folder, **(quick if small else {}))
    seen_, hidden = split_molecules(source.X, seed=seed)
    table = gm.choose_smoothing(seen_, seed=seed)                 # splits what was seen once more: the hidden pile stays hidden
    w, k = best_of(table, None, None)
    z, P = gm.placed_again(seen_), PCA(20, random_state=0).fit_transform(sg.normalise(seen_).toarray())
    whole = lambda w, k: np.concatenate([share for _, share in gm.smoothed(seen_, weight=w, k=k, z=z)])
    every = {'raw': lambda: seen_.toarray()/np.asarray(seen_.sum(1)), 'autoencoder mean': lambda: np.exp(gm.log_shares(gm.placed(seen_, rows=range(seen_.shape[0]))[:, :-1])), 'autoencoder, second sight': lambda: whole(1, 10)}
    every |= {f'kNN {n}, in PCA': lambda n=n: pooled_neighbours(seen_, P, n).toarray() for n in (10, 30)} | {'enhance': lambda: whole(w, k)}
    if python := os.environ.get('MAGIC_PYTHON'): every['MAGIC'] = lambda: magic(seen_, python)
    else: print('MAGIC was not run: set MAGIC_PYTHON to an interpreter that has magic-impute')
    mine = np.flatnonzero((source.obs.cell_type == source.obs.cell_type.value_counts().idxmax()).to_numpy())
    tested, rows = np.asarray((seen_[mine] > 0).mean(0)).ravel() > .05, []
    for name, f in every.items():
        share = f()
        null = null_splits(np.log1p(1e4*share[mine][:, tested]), seed)
        rows.append(dict(way=name, hidden_loss=foretold(share, hidden), log_RMSE=np.sqrt(((share_log(share) - share_log(true))**2).mean()), null_mean=np.mean(null), null_worst=np.max(null)))
    return dict(figures=pd.DataFrame(rows), choice=named_rows(table, took=f'{w}, {k}'))

def null_splits(v, seed, n=20):
    "Share of genes with p < .05 between random halves"
    halves = [np.random.default_rng([seed, r]).permutation(len(v)) < len(v)//2 for r in range(n)]
    return [(ttest_ind(v[h], v[~h], equal_var=False).pvalue < .05).mean() for h in halves]

def show_enhance(figures, choice, world='the simulator of the book'):
    by_seed(f'{world}: enhancement (hidden_loss: Poisson loss per cell on hidden molecules; null: share of genes with p < .05 between random halves of one type; raw: on counts)', figures)
    show('losses that the weight of the decoder (rows) and the neighbours (columns) were chosen from', choice)

def named_rows(table, **about): return table.rename_axis('row').reset_index().assign(**about)

def by_seed(title, t):
    "Mean and spread over seeds"
    means = t.drop(columns=[c for c in ('kind',) if c in t]).groupby(['way', 'seed'], sort=False).mean(numeric_only=True)
    show(f'{title}, mean over {t.seed.nunique()} seed(s)', means.groupby('way', sort=False).mean())
    if t.seed.nunique() > 1: show('... spread (sd) over seeds', means.groupby('way', sort=False).std())

semi = 'a world as the study had it'
tables = dict(seen=(seen, show_seen), unseen=(unseen, show_unseen), truth=(truth, show_truth), study=(partial(truth, world=study), partial(show_truth, world=semi)), genes=(genes, show_genes),
              perturb=(perturb, partial(show_many, name='Perturb-seq')), peaks=(peaks, partial(show_many, name='ATAC, dexamethasone')),
              enhance=(enhance, show_enhance), enhance_study=(partial(enhance, world=study), partial(show_enhance, world=semi)))

def run(name, seeds, folder, kept, **more):
    "Rows of every seed, made now or kept from before; then the table"
    make, display = tables[name]
    for seed in seeds:
        suffix = ''.join(more.get('only', [''])).replace(' ', '')
        for part, t in make(seed, folder, **more).items(): t.assign(seed=seed).to_csv(Path(kept)/f'{name}.{part}.{seed}{suffix}.csv', index=False)
    parts = {p: [pd.read_csv(f) for f in sorted(Path(kept).glob(f'{name}.{p}.*.csv'))] for p in {f.name.split('.')[1] for f in Path(kept).glob(f'{name}.*.csv')}}
    if parts: display(**{p: pd.concat(t) for p, t in parts.items()})
    else: print(f'{name}: nothing is kept')

def main():
    args = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    args.add_argument('tables', nargs='*', default=list(tables))
    args.add_argument('--seeds', nargs='*', type=int, default=[0, 1, 2]); args.add_argument('--models'); args.add_argument('--rows'); args.add_argument('--only', nargs='*'); args.add_argument('--small', action='store_true')
    a = args.parse_args()
    with TemporaryDirectory() as here:
        kept = a.rows or here
        Path(kept).mkdir(exist_ok=True)
        if a.small:
            for name in ('truth', 'study', 'genes', 'enhance'): run(name, [0], a.models or here, kept, small=True)
        else:
            for name in a.tables: run(name, a.seeds, a.models, kept, **(dict(only=a.only) if a.only else {}))

if __name__ == '__main__': main()
