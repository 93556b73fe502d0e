"""How good are edits? Tables for the methods of `ScGM.edit`, beside no change, both shifts, and real cells of the target.

    python benchmarks/editing.py seen                 Kang, all pairs seen, 3 seeds
    python benchmarks/editing.py unseen               Kang, each type x stim held out in turn
    python benchmarks/editing.py truth genes          simulator: known counterfactuals; 6 of 30 genes set
    python benchmarks/editing.py perturb peaks        Perturb-seq, 33 conditions; ATAC, dexamethasone
    python benchmarks/editing.py enhance              simulator: enhancement against decoder, kNN, MAGIC
    python benchmarks/editing.py --small              the simulator's tables on few cells: a minute
Options: --seeds 0 1 2; --models FOLDER keeps trained models there. Real data are found through SCGM_DATA; a model takes about a minute of one core.

E: energy distance (Euclid, no diagonal) on 30 axes fitted on all cells; `own` counts are thinned or added to, `fresh` ones drawn anew.
identity: share of cells whose nearest source, on the 600 genes that change least, is their own; `AE` compares expected log profiles of edited
cell and source, `fresh` compares redrawn counts with the counts of the source (chance and the ceiling, no change, are rows of the table).
"""
import os, warnings
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from functools import partial
from pathlib import Path
import numpy as np, pandas as pd, scipy.sparse as sp, torch
from anndata import read_h5ad
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
from scgm_nb.sdedit import balanced, bright, moves, preferred, shifts, energy_to
from scgm_nb.wishes import *

torch.set_num_threads(1); warnings.filterwarnings('ignore')
load = lambda name: read_h5ad(Path(os.environ['SCGM_DATA'])/name)
kang = lambda: load('kang2018_ifnb_typed_1267genes.h5ad')
logs = lambda X: sg.normalise(sp.csr_matrix(X, dtype=np.float32))
show = lambda title, table: print(f'\n{title}\n{table.round(3).to_string()}', flush=True)
stderr = lambda v: v.std()/len(v)**.5

def model(name, cells, labels, seed, folder, **more):
    "A trained model, from the folder if it is there"
    path = Path(folder)/name.replace(' ', '_') if folder else None
    if path and path.exists(): return ScGM.load(path)
    gm = ScGM.train(cells, labels, seed=seed, progress=False, **more)
    if path: gm.save(path)
    return gm

class Case:
    "Cells to be edited, what they should become, and rulers"
    def __init__(self, gm, source, target, to, *, space, seed=0, reference=None, known=None):
        self.gm, self.X, self.T, self.seed, self.space = gm, source.X, target.X, seed, space
        self.y, self.goals = gm.targets_of(source, to)
        self.rows = np.arange(source.n_obs)
        self.u = gm.placed(self.X, rows=self.rows)
        self.before, self.known, self.reference = gm.log_shares(self.u[:, :-1], self.y), known, reference
        self.δ = np.asarray(logs(self.T).mean(0) - logs(self.X).mean(0)).ravel()
        self.quiet = np.argsort(np.abs(self.δ))[:min(600, len(self.δ)//2)]
        self.P = project(logs(self.T), space)[1]

    def change(self, **how): return self.gm.changed(self.u, self.y, self.goals, rows=self.rows, seed=self.seed, known=self.known if how['method'] in shifts else None, **how)
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
        'paired': dict(method='paired'), 'ddpm': dict(method='ddpm'), 'ode (auto)': dict(method='ode')}

def parts(cells, seed):
    cells.obs['pair'] = cells.obs.cell_type.astype(str) + ' ' + cells.obs.condition.astype(str)
    return sg.split(cells, by='pair', test=.25, seed=seed)

def pick(cells, kind, condition): return cells[(cells.obs.cell_type == kind) & (cells.obs.condition == condition)].copy()

def seen(seeds, folder):
    "Kang, all pairs seen: mean over five types"
    cells, rows, diffs, rng = kang(), [], [], np.random.default_rng(0)
    space = fit_space(logs(cells.X))
    for seed in seeds:
        train, test = parts(cells, seed)
        gm = model(f'kang_{seed}_', train, ['cell_type', 'condition'], seed, folder)
        known = gm.portraits(gm.meet(train, list(gm.labels)))
        for kind in cells.obs.cell_type.unique():
            case = Case(gm, pick(test, kind, 'ctrl'), pick(test, kind, 'stim'), {'condition': 'stim'}, space=space, seed=seed, known=known)
            Q, hits = {}, {}
            for name, how in ways.items():
                f, Q[name], hits[name] = case.figures(0*case.before if how is None else case.change(**how))
                rows.append(dict(seed=seed, kind=kind, way=name, **f))
            rows.append(dict(seed=seed, kind=kind, way='real target cells (floor)', **random_target(case, rng)))
            for name in ('ddpm', 'ode (auto)'):
                E = {f'E {k}': np.mean([boot(case.P, a, b, rng, 100) for a, b in zip(Q[name][k], Q['latent_shift'][k])], 0) for k in ('own', 'fresh')}
                I = {k: np.array([(hits[name][k].astype(float) - hits['latent_shift'][k])[rng.integers(len(case.rows), size=len(case.rows))].mean() for _ in range(100)]) for k in hits[name]}
                diffs.append(pd.DataFrame(E | I).assign(way=name, seed=seed, kind=kind, b=range(100)))
    table = pd.DataFrame(rows)
    per_seed = table.drop(columns='kind').groupby(['way', 'seed'], sort=False).mean()
    show('Kang, all pairs seen: mean over five types and the seeds', per_seed.groupby('way', sort=False).mean())
    show('... spread (sd) over seeds', per_seed.groupby('way', sort=False).std())
    d = pd.concat(diffs).drop(columns=['kind', 'seed']).groupby(['way', 'b'], sort=False).mean().groupby('way', sort=False)
    show('difference to latent_shift, paired bootstrap over cells: 2.5%, mean, 97.5%', pd.concat({k: f for k, f in (('low', d.quantile(.025)), ('mean', d.mean()), ('high', d.quantile(.975)))}, axis=1).T)

def unseen(seeds, folder):
    "Kang, each type x stim held out"
    cells, rows, tables = kang(), [], []
    space = fit_space(logs(cells.X))
    for seed in seeds:
        train, test = parts(cells, seed)
        for kind in cells.obs.cell_type.unique():
            name = f'kang_{seed}_{kind[:4]}'
            if folder and os.environ.get('ONLY_READY') and not (Path(folder)/name.replace(' ', '_')).exists(): continue
            part = train[~((train.obs.cell_type == kind) & (train.obs.condition == 'stim'))].copy()
            gm = model(name, part, ['cell_type', 'condition'], seed, folder)
            real = gm.meet(part, list(gm.labels))
            case = Case(gm, pick(test, kind, 'ctrl'), pick(cells, kind, 'stim'), {'condition': 'stim'}, space=space, seed=seed, known=gm.portraits(real))
            how, table = gm.chosen(case.known, case.y, case.goals, reference=real, seed=seed)
            tables.append(table.assign(seed=seed, held_out=kind))
            every = {'no change': None, 'gene_shift': dict(method='gene_shift'), 'latent_shift': dict(method='latent_shift'), 'ode': dict(method='ode'), 'composed': dict(method='composed'), 'gene_shift, relatives first': dict(method='gene_shift', near=.3), 'latent_shift, relatives first': dict(method='latent_shift', near=.3), 'auto': how}
            for way, h in every.items(): rows.append(dict(seed=seed, kind=kind, way=way, took=f'{how["method"]}, near={how.get("near")}', **case.figures(0*case.before if h is None else case.change(**h), 2)[0]))
            target = sp.csr_matrix(case.T); u = gm.placed(target, rows=range(target.shape[0])); b = gm.log_shares(u[:, :-1], np.tile(case.goals[0][1][:1], (len(u), 1)))
            rows.append(dict(seed=seed, kind=kind, way='decoder on real targets (ceiling)', **{f'E {k}': energy(*between(case.P, project(logs(gm.moved_counts(target, b, 0*b, rows=range(len(u)), luck='fresh')), space)[1])) for k in ('own', 'fresh')}))
    t = pd.DataFrame(rows)
    for k in ('E own', 'E fresh', 'Pearson delta', 'identity AE'):
        p = t.pivot_table(index='way', columns='kind', values=k, sort=False)
        show(f'Kang, type x stim held out: {k} (mean over {t.seed.nunique()} seed(s); runs per type: {t[t.way == "auto"].kind.value_counts().to_dict()})', p.assign(mean=p.mean(axis=1)))
    show('what auto took', t[t.way == 'auto'][['seed', 'kind', 'took']])
    show('tables it chose from (energy distance; columns: the kind left out inside)', pd.concat(tables))

def simulated(seed, small=False):
    "Training cells, control cells to be edited, and the same cells stimulated"
    a = sg.simulate(900, 400, n_types=3, n_batches=1, n_donors=2, seed=seed) if small else sg.simulate(3400, 1500, n_types=5, n_batches=1, n_donors=2, seed=seed)
    n = 600 if small else 2400
    rest = a[n:].copy()
    source = rest[rest.obs.condition == 'ctrl'].copy()
    return a[:n].copy(), source, sg.counterfactual(source, condition='stim', seed=seed + 1)

def effect_r(a, b, top):
    "Correlation of what is special in the effect on each cell, over the strongest genes"
    a, b = (v[:, top] - v[:, top].mean(0) for v in (a, b))
    return corr(a.ravel(), b.ravel())

def truth(seeds, folder, small=False):
    "Known counterfactuals: effect inside a type, own counterfactual as nearest"
    rows, readable = [], []
    for seed in seeds:
        train, source, target = simulated(seed, small)
        gm = model(f'sim_{seed}', train, ['cell_type', 'condition'], seed, folder, **(dict(steps=600, net_steps=1500) if small else {}))
        known, space = gm.portraits(gm.meet(train, list(gm.labels))), fit_space(logs(train.X))
        for kind in source.obs.cell_type.cat.categories:
            mine = (source.obs.cell_type == kind).to_numpy()
            case = Case(gm, source[mine].copy(), target[mine].copy(), {'condition': 'stim'}, space=space, seed=seed, known=known)
            share = lambda condition: (lambda r: bright(np.log(r/r.sum(1, keepdims=True))))(sg.truth(source[mine], condition=condition))
            true0, true1 = share('ctrl'), share('stim')
            top, all_ = np.argsort(-np.abs((true1 - true0).mean(0)))[:100], bright(case.before)
            v = gm.placed(target[mine].X, rows=case.rows)
            for name, z in (('latent numbers', case.u), ('counts', project(logs(case.X), space)[1])):
                guess = cross_val_predict(make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 4, 9))), z, source.obs.response[mine], cv=5)
                readable.append(dict(seed=seed, of=name, r=corr(guess, source.obs.response[mine])))
            oracle = gm.log_shares(v[:, :-1], case.goals[0][1]) - case.before
            every = {k: 0*case.before if h is None else case.change(**h) for k, h in ways.items()} | {'oracle: the true counterfactual, through the autoencoder': oracle}
            for name, change in every.items():
                after = bright(case.before + balanced(case.before, change))
                near = apart(after, true1).argmin(1) == case.rows
                E = energy(*between(case.P, project(logs(case.counts(change, 'own')), space)[1]))
                rows.append(dict(seed=seed, way=name, effect_r=effect_r(after - all_, true1 - true0, top), own_nearest=near.mean(), chance=1/len(near), E_own=E, RMSE=np.sqrt(((after - true1)**2).mean())))
    t = pd.DataFrame(rows).groupby(['way', 'seed'], sort=False).mean()
    show('how strongly a cell will answer, read from it before the stimulus (ridge regression inside a type, r with the truth)', pd.DataFrame(readable).groupby('of')[['r']].mean())
    show('simulator: known counterfactuals, mean over types and seeds', t.groupby('way', sort=False).mean())
    show('... spread (sd) over seeds', t.groupby('way', sort=False).std())

def genes(seeds, folder, small=False):
    "Six of thirty genes that answer together are set; do the others follow?"
    rows = []
    for seed in seeds:
        train, source, _ = simulated(seed, small)
        gm = model(f'sim_{seed}', train, ['cell_type', 'condition'], seed, folder, **(dict(steps=600, net_steps=1500) if small else {}))
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
    t = pd.DataFrame(rows).groupby(['way', 'seed'], sort=False).mean()
    show('simulator: 6 of 30 induced genes set at their stimulated level (painted genes are exact in the result)', t.groupby('way', sort=False).mean())
    show('... spread (sd) over seeds', t.groupby('way', sort=False).std())

def many(name, cells, labels, base, seeds, folder, *, pairs=True, most=100, **more):
    "Many conditions: each method from control cells to every condition, judged on cells put aside"
    rows, space = [], fit_space(logs(cells.X))
    cells.obs['pair'] = cells.obs[labels].astype(str).agg(' '.join, axis=1)
    for seed in seeds:
        train, test = sg.split(cells, by='pair', test=.25, seed=seed)
        gm = model(f'{name}_{seed}', train, labels, seed, folder, **more)
        known, column = gm.portraits(gm.meet(train, list(gm.labels))), labels[-1]
        for pair in sorted(test.obs.pair.unique()):
            target = test[test.obs.pair == pair].copy()
            where = target.obs.iloc[0]
            source = test[np.logical_and.reduce([test.obs[c] == where[c] for c in labels[:-1]] + [test.obs[column] == base])]
            if where[column] == base or target.n_obs < 10 or source.n_obs < 10: continue
            source = source[:most].copy()
            case = Case(gm, source, target, {column: where[column]}, space=space, seed=seed, known=known)
            every = {'no change': None, 'gene_shift': dict(method='gene_shift'), 'latent_shift': dict(method='latent_shift'), 'ode (auto)': dict(method='ode'), 'ddpm': dict(method='ddpm')}
            out = {k: 0*case.before if h is None else case.change(**h) for k, h in every.items()}
            singles = [tuple(gm.table_codes(pd.DataFrame({c: [where[c] if c != column else g] for c in labels}))[0]) for g in where[column].split('+')] if '+' in where[column] and set(where[column].split('+')) <= set(gm.labels[column]) else []
            if singles: out['additive sum of singles'] = np.tile(sum(known[s].genes - known[tuple(case.y[0])].genes for s in singles if s in known), (len(case.rows), 1))
            for k, change in out.items(): rows.append(dict(seed=seed, pair=pair, way=k, double=bool(singles), **case.figures(change, 1)[0]))
            rows.append(dict(seed=seed, pair=pair, way='real target cells (floor)', double=bool(singles), **random_target(case, np.random.default_rng(seed))))
    t = pd.DataFrame(rows)
    show(f'{name}: mean over {t.pair.nunique()} conditions', t.drop(columns=['pair', 'double', 'seed']).groupby('way', sort=False).mean())
    if t.double.any(): show(f'{name}: the {t[t.double].pair.nunique()} pairs whose two singles are known', t[t.double].drop(columns=['pair', 'double', 'seed']).groupby('way', sort=False).mean())

def perturb(seeds, folder): many('perturb', load('perturbseq_norman19_mcfaline23_500hvg.h5ad'), ['cell_type', 'condition'], 'control', seeds[:1], folder)

def peaks(seeds, folder):
    cells = load('scicar_a549_dex_atac.h5ad')
    cells = cells[:, np.sort(np.argsort(-np.asarray(cells.X.sum(0)).ravel())[:5000])].copy()      # the 5,000 peaks most often open
    cells = cells[np.asarray(cells.X.sum(1)).ravel() > 0].copy()
    cells.obs = cells.obs[['condition']].astype('category')
    many('peaks', cells, ['condition'], 'dex_0h', seeds[:1], folder, kind='bernoulli')

def magic(X, python):
    "MAGIC with its defaults, by the interpreter that has `magic-impute`: square roots of counts per cell, diffused, brought back"
    import subprocess, tempfile
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f'{folder}/in.npz', X=X.toarray())
        code = f"import numpy as np, magic; X = np.load('{folder}/in.npz')['X']; p = X/X.sum(1, keepdims=True)*1e4; np.save('{folder}/out.npy', np.maximum(np.asarray(magic.MAGIC(verbose=0, random_state=0).fit_transform(np.sqrt(p))), 0)**2)"
        subprocess.run([python, '-c', code], check=True, capture_output=True)
        out = np.load(f'{folder}/out.npy')
    return out/out.sum(1, keepdims=True)

def enhance(seeds, folder, small=False):
    "Enhancement of test cells at a tenth less depth: hidden molecules foretold, truth, and a null split"
    from scgm_nb.enhance import foretold, pooled_neighbours, split_molecules
    rows, python = [], os.environ.get('MAGIC_PYTHON')
    for seed in seeds:
        train, source, _ = simulated(seed, small)
        gm = model(f'sim_{seed}', train, ['cell_type', 'condition'], seed, folder, **(dict(steps=600, net_steps=1500) if small else {}))
        seen_, hidden = split_molecules(source.X, seed=seed)
        true = sg.truth(source); true /= true.sum(1, keepdims=True)
        error = lambda p: float(np.sqrt(((bright(np.log(np.maximum(p, 1e-12))) - bright(np.log(true)))**2).mean()))
        table = gm.choose_smoothing(seen_, seed=seed)                 # splits what was seen once more: the hidden pile stays hidden
        w, k = table.stack().idxmin()
        whole = lambda w, k: np.concatenate([share for _, share in gm.smoothed(seen_, weight=w, k=k)])
        z = gm.placed(seen_, rows=range(seen_.shape[0]))[:, :-1]
        from sklearn.decomposition import PCA
        P = PCA(20, random_state=0).fit_transform(sg.normalise(seen_).toarray())
        every = {'raw': lambda: seen_.toarray()/np.asarray(seen_.sum(1)), 'decoder mean': lambda: whole(1, 10), 'kNN 10, in PCA': lambda: pooled_neighbours(seen_, P, 10).toarray(),
                 'kNN 30, in PCA': lambda: pooled_neighbours(seen_, P, 30).toarray(), f'enhance': lambda: whole(w, k)} | ({'MAGIC': lambda: magic(seen_, python)} if python else {})
        for name, f in every.items():
            share = f()
            mine = np.flatnonzero((source.obs.cell_type == source.obs.cell_type.value_counts().idxmax()).to_numpy())
            tested = np.asarray((seen_[mine] > 0).mean(0)).ravel() > .05
            from scipy.stats import ttest_ind
            v, null = np.log1p(1e4*share[mine][:, tested]), []
            for r in range(20):
                half = np.random.default_rng([seed, r]).permutation(len(mine)) < len(mine)//2
                null.append((ttest_ind(v[half], v[~half], equal_var=False).pvalue < .05).mean())
            rows.append(dict(seed=seed, way=name, hidden_loss=foretold(share, hidden), log_RMSE=error(share), null_mean=np.mean(null), null_worst=np.max(null), chosen=f'{w}, {k}' if name == 'enhance' else ''))
    t = pd.DataFrame(rows)
    per = t.drop(columns='chosen').groupby(['way', 'seed'], sort=False).mean()
    show('simulator: enhancement (hidden_loss: Poisson loss per cell on hidden molecules; null: share of genes with p < .05 between random halves of one type)', per.groupby('way', sort=False).mean())
    show('... spread (sd) over seeds', per.groupby('way', sort=False).std())
    show('what was chosen: weight of the decoder, neighbours', t[t.way == 'enhance'][['seed', 'chosen']])
    if not python: print('MAGIC was not run: set MAGIC_PYTHON to an interpreter that has magic-impute')

def main():
    args = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    args.add_argument('tables', nargs='*', default=['seen', 'unseen', 'truth', 'genes', 'perturb', 'peaks', 'enhance'])
    args.add_argument('--seeds', nargs='*', type=int, default=[0, 1, 2]); args.add_argument('--models'); args.add_argument('--small', action='store_true')
    a = args.parse_args()
    if a.small:
        for f in (truth, genes, enhance): f([0], None, small=True)
    else:
        for name in a.tables: dict(seen=seen, unseen=unseen, truth=truth, genes=genes, perturb=perturb, peaks=peaks, enhance=enhance)[name](a.seeds, a.models)

if __name__ == '__main__': main()
