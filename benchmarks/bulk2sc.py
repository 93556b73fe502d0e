"""Do the cells of a bulk look like the cells that it was made of?

    python benchmarks/bulk2sc.py kang           control cells of one donor, bulk of the other: stimulated, and control; 3 seeds ($SCGM_DATA)
    python benchmarks/bulk2sc.py pieces         both stimulated bulks: what of the distance is proportions, library sizes, means of the types
    python benchmarks/bulk2sc.py simulator      effects that differ between types, and composition alone; 3 seeds
    python benchmarks/bulk2sc.py speed          2,700 cells x 13,000 genes, 17 types: training, one bulk -> 2,000 cells
    python benchmarks/bulk2sc.py cohort         100 samples x 2,000 cells x 1,000 genes written to a file: time, and memory after 1, 10, 100 samples
    python benchmarks/bulk2sc.py minute         the simulator, small: about a minute
    --cache FOLDER keeps trained models; --seeds 0,1,2; --only stim107 takes one bulk of kang

Energy distance, gene-gene error (within types) and forest AUC on expression are those of chapter 00b, in the space of the true cells.
`energy` takes the proportions as each method has them; `by type` takes equal numbers of each type as the truth. Folds are log pseudo-bulk
(per 10,000, +.1) of the true, and of the generated, cells over the reference: r and slope on the 100 genes that move most; `sign`: the least
share, over the types, of a type's 50 most moved genes (among those moved for certain: 3 standard errors of counting) that move the same way.
Simulator: `own part` is what a type's fold has beyond the mean of the types; its error is 1 where nothing of it is recovered. Where there was no
effect, `energy` is the distance by type of ours, and of plain proportions, to the cells that the bulk was drawn from.
Floor: the nearest other real sample. Baselines: the reference's cells in the estimated proportions, and these multiplied gene by gene by the bulk ratio.
"""
import os, resource, time, warnings
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
import numpy as np, pandas as pd, scipy.sparse as sp
from anndata import AnnData, read_h5ad
from scgm_nb.bulk import pseudo_bulk, read_bulk
from scgm_nb.bulk2sc import Bulk2SC
from scgm_nb.entries import DataWarning
from scgm_nb.data import check, normalise
from scgm_nb.dice import cell_noise
from scgm_nb.distances import between, energy, fit_space
from scgm_nb.measures import Cells, draw, forest_auc, pair_figures
from scgm_nb.simulate import simulate
from scgm_nb.whatif import truth, whole
from scgm_nb.steering import balanced, codes_for, drawn, moved_rates, new_latents
from scgm_nb.sums import balance, rescale_cells
from scipy.special import ndtri

def as_cells(a): return Cells(sp.csr_matrix(a.X), normalise(AnnData(sp.csr_matrix(a.X))), a.obs['cell_type'].astype(str).to_numpy())
def certain(X, Y, least=3.):
    "Genes whose log fold between two groups lies beyond so many standard errors of counting"
    a, b = (np.asarray(M.sum(0)).ravel() + .5 for M in (X, Y))
    return np.abs(np.log(a/a.sum()*b.sum()/b)) > least*np.sqrt(1/a + 1/b)

def profile(X): return np.log(np.asarray(X.sum(0)).ravel()/X.sum()*1e4 + .1)

def realism(real, fake, trees):
    "Energy distance as it comes and by type, gene-gene error within types, forest AUC"
    r, f, rng = as_cells(real), as_cells(fake), np.random.default_rng(0)
    S = fit_space(r.L)
    any_ = f[rng.permutation(len(f))[:len(r)]]
    out = {'energy': energy(*between(r.at(S).p, any_.at(S).p))}
    have = pd.Series(f.y).value_counts()
    sizes = {t: min(n, have.get(t, 0)) for t, n in pd.Series(r.y).value_counts().items()}
    r, f = r[draw(r.y, sizes, rng)].at(S), f[draw(f.y, sizes, rng)].at(S)
    out['by type'] = energy(*between(r.p, f.p))
    out['gene-gene'] = pair_figures(r, f, np.argsort(-S.μ, kind='stable')[:200])['gene-gene error, within types', 'all']
    if trees: out['AUC'] = forest_auc(r.e, f.e, trees=trees)
    return out

def folds(real, fake, reference):
    "Does the response show? Pooled, and in each type"
    t, g, c = (profile(a.X) for a in (real, fake, reference))
    k = np.argsort(-np.abs(t - c))[:100]
    out, sign = dict(r=np.corrcoef((t - c)[k], (g - c)[k])[0, 1], slope=((t - c)[k] @ (g - c)[k])/((t - c)[k] @ (t - c)[k])), {}
    for name in real.obs['cell_type'].unique():
        X = [a.X[(a.obs['cell_type'] == name).to_numpy()] for a in (real, fake, reference)]
        t, g, c = map(profile, X)
        k = np.argsort(-np.abs(t - c)*certain(X[0], X[2]))[:50]
        sign[name] = (np.sign(t - c) == np.sign(g - c))[k].mean()
    return out | {'sign': min(sign.values()), 'worst type': min(sign, key=sign.get)}

def trained(reference, name, seed, cache, **kwargs):
    at = Path(cache)/f'{name}-{seed}' if cache else None
    if at and at.exists(): return Bulk2SC.load(at), np.nan
    start = time.time()
    b = Bulk2SC.train(reference, seed=seed, progress=False, **kwargs)
    seconds = time.time() - start
    if at: b.save(at)
    return b, seconds

donors = ('101', '107'), ('107', '101')   # of the reference, of the bulk

def samples():
    "The cells of Kang's samples, by name"
    cells = check(read_h5ad(Path(os.environ['SCGM_DATA'])/'kang2018_ifnb_typed_1267genes.h5ad'), ['cell_type', 'sample'])
    return lambda name: cells[cells.obs['sample'] == name].copy()

def kang(seeds, cache, only=None, trees=30):
    of, rows = samples(), []
    for seed in seeds:
        for mine, theirs in donors:
            reference = of(f'ctrl{mine}')
            if only and not only.endswith(theirs): continue
            b, seconds = trained(reference, f'kang{mine}', seed, cache)
            for state in ('stim', 'ctrl'):
                if only and only != f'{state}{theirs}': continue
                real, start = of(f'{state}{theirs}'), time.time()
                bulk = read_bulk(pd.DataFrame([np.asarray(real.X.sum(0)).ravel()], [state], real.var_names), 'counts')
                cand = {'ours': b.generate(bulk, 2000, seed=seed)}
                took = time.time() - start
                cand['proportions'] = b.generate(bulk, 2000, seed=seed, match='proportions')
                cand['rescaled'] = rescale_cells(reference, bulk, 2000, b.deconvolve(bulk).proportions.iloc[0], seed=seed)
                if seed == seeds[0]: cand['another real sample'] = of(f'{state}{mine}')
                mass = balance(cand['ours']).iloc[0]
                for how, c in cand.items():
                    more = dict(mass_r=mass.r, mass_slope=mass.slope, z=mass.noise_ratio, unexplained=mass.unexplained, seconds=took, training=seconds) if how == 'ours' else {}
                    rows.append(dict(bulk=f'{state}{theirs}', seed=seed, cells=how, **realism(real, c, trees), **folds(real, c, reference), **more))
                    print(rows[-1], flush=True)
    t = pd.DataFrame(rows)
    show('Kang: each figure, mean over seeds', t.drop(columns=['seed', 'worst type']).groupby(['bulk', 'cells'], sort=False).mean())
    show('spread over seeds (standard deviation)', t.drop(columns=['worst type']).groupby(['bulk', 'cells'], sort=False)[['energy', 'by type', 'gene-gene', 'AUC', 'r', 'slope', 'sign']].std())

def told(b, plan, p, n, *, shift=None, library=None, spread=.25, seed=0):
    "Cells of a plan, with proportions, the shift of each type, and cells to take library sizes from as they are told"
    counts = whole(p, n)
    y = codes_for(b.model, counts, seed=seed)
    z, ℓ = new_latents(b.model, y, seed=seed, push=plan.push if shift is None else None)
    if library is not None:
        rng, kind, depth = np.random.default_rng(seed), library.obs['cell_type'].astype(str).to_numpy(), np.asarray(library.X.sum(1)).ravel()
        ℓ = np.concatenate([rng.choice(depth[kind == t], c) for t, c in zip(b.types, counts) if c]).astype(np.float32)
    s = np.ones(len(y)) if shift is not None else np.exp(spread*ndtri(cell_noise(seed, range(len(y)), 1, stream=7)[:, 0]) - spread**2/2)
    rates = lambda shift: moved_rates(b.model, b.lift, z, ℓ, y, shift, s)
    if shift is None: shift = balanced(plan, lambda shift: sum(R.sum(0) for *_, R in rates(shift)))
    X = sp.vstack([X for _, X, _ in drawn(b.model, lambda: rates(shift), seed)], 'csr')
    return AnnData(X, pd.DataFrame({'cell_type': pd.Categorical.from_codes(y[:, 0], b.types)}, index=[str(i) for i in range(len(y))]), pd.DataFrame(index=b.genes))

def pieces(seeds, cache):
    of = samples()
    for mine, theirs in donors: pieces_of(of, mine, theirs, seeds[0], cache)

def pieces_of(of, mine, theirs, seed, cache, n=2000):
    reference, real, rows = of(f'ctrl{mine}'), of(f'stim{theirs}'), []
    b, _ = trained(reference, f'kang{mine}', seed, cache)
    kind, B = real.obs['cell_type'].astype(str), np.asarray(real.X.sum(0), float).ravel()
    p = kind.value_counts(normalize=True).reindex(b.types).to_numpy()
    guess = b.deconvolve(read_bulk(pd.DataFrame([B], ['stim'], real.var_names), 'counts')).proportions[b.types].iloc[0].to_numpy()
    M = np.stack([np.asarray(real.X[(kind == t).to_numpy()].sum(0)).ravel() for t in b.types])
    flat = M.sum(1, keepdims=True)*b.crowd.profile(np.zeros(b.crowd.scale.shape))
    plan = lambda q: b.plan(B, q, np.ones(len(B), bool), 'pseudobulk', limit=None, reach=.5)
    ways = {'the bulk alone': (guess, {}), '+ proportions': (p, {}), '+ library sizes': (p, dict(library=real)), '+ mean of each gene in each type': (p, dict(library=real, shift=np.log((M + .3)/(flat + .3))))}
    for name, (q, more) in ways.items(): rows.append(dict(told=name, **realism(real, told(b, plan(q), q, n, **more), 0)))
    rows.append(dict(told='another real sample', **realism(real, of(f'stim{mine}'), 0)))
    show(f'Kang, stim{theirs}: what is told to the generator', pd.DataFrame(rows).set_index('told'))
    print('proportions', dict(zip(b.types, zip(guess.round(3).tolist(), p.round(3).tolist()))))

def world(seed, small):
    n, g = (900, 300) if small else (2400, 1500)
    cells = simulate(n, g, n_types=4, n_donors=4, n_batches=1, depth=1500 if small else 2000, seed=seed)
    new = cells.obs.donor.isin(['donor2', 'donor3']).to_numpy()
    pick = lambda c, rows: c[(c.obs.condition == ('stim' if rows else 'ctrl')).to_numpy() & new].copy()
    return cells[(cells.obs.condition == 'ctrl').to_numpy() & ~new].copy(), pick(cells, 1), pick(cells, 0)

def own_part(F): return F - F.mean(1, keepdims=True)

def simulator(seeds, cache, small=False):
    rows = []
    for seed in seeds:
        reference, stim, ctrl = world(seed, small)
        few = dict(steps=400, net_steps=700, deconv=dict(per=10)) if small else dict(net_steps=1500, deconv=dict(per=20))
        b, _ = trained(reference, f'sim{"-small" if small else ""}', seed, cache, **few)
        kinds, size = list(reference.obs.cell_type.cat.categories), dict(n_cells=1500, seed=seed)
        at = [stim[(stim.obs.cell_type == t).to_numpy()].copy() for t in kinds]
        F = np.stack([np.log(truth(a).sum(0)/truth(a, condition='ctrl').sum(0)) for a in at], 1)
        seen = np.asarray(reference.X.sum(0)).ravel() > 20
        on = (np.abs(F).max(1) > .2) & seen
        even, odd = np.full(4, .25), np.array([.55, .25, .15, .05])
        for name, pool, p in (('effect', stim, even), ('effect, other composition', stim, odd), ('nothing', ctrl, even), ('composition alone', ctrl, odd)):
            bulk = pseudo_bulk(pool, fractions=pd.DataFrame([p], [name], kinds), **size)
            new, old = (b.generate(bulk, 4000, seed=seed, match=m) for m in ('pseudobulk', 'proportions'))
            scaled = rescale_cells(reference, bulk, 4000, b.deconvolve(bulk).proportions.iloc[0], seed=seed)
            of = lambda c, t: profile(c.X[(c.obs.cell_type == t).to_numpy()])
            ours, theirs = (np.stack([of(c, t) - of(o, t) for t in kinds], 1) for c, o in ((new, old), (scaled, reference)))
            row = dict(world=seed, bulk=name, **{'proportions off by': np.abs(new.uns['proportions'].to_numpy()[0] - p).sum()/2, 'genes moved > 1.5x': (np.abs(new.varm['shift'].to_numpy()[seen, 0]) > np.log2(1.5)).mean()})
            if name.startswith('effect'):
                T, R, E = own_part(F[on]), own_part(theirs[on]), own_part(ours[on])
                row |= {'own part r': np.corrcoef(T.ravel(), E.ravel())[0, 1], 'rescaled r': np.corrcoef(T.ravel(), R.ravel())[0, 1],
                        'own part error': ((E - T)**2).mean()/(T**2).mean(), 'rescaled error': ((R - T)**2).mean()/(T**2).mean(), 'all error': ((ours - F)[on]**2).mean()/(F[on]**2).mean(), 'rescaled all': ((theirs - F)[on]**2).mean()/(F[on]**2).mean()}
            else:
                d = [realism(pool, c, 0)['by type'] for c in (new, old)]
                row |= {'energy': d[0], 'of proportions': d[1]}
            rows.append(row); print(row, flush=True)
    t = pd.DataFrame(rows).drop(columns='world').groupby('bulk', sort=False)
    show(f'Simulator, mean of {len(seeds)} worlds', t.mean()); show('standard error of these means', t.sem())

def memory():
    "Peak memory of this process, in GB"
    lines = Path('/proc/self/status').read_text() if Path('/proc/self/status').exists() else ''
    return int(lines.split('VmHWM:')[1].split()[0])/1e6 if 'VmHWM' in lines else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1e6

def speed(seeds, cache):
    cells = simulate(2700, 13_000, n_types=17, n_donors=2, n_batches=1, depth=3000, seed=0)
    reference = check(AnnData(cells.X, cells.obs[['cell_type']].copy(), cells.var[[]].copy()), 'cell_type', allow_rare=True)
    wall, cpu = time.time(), time.process_time()
    b = Bulk2SC.train(reference, seed=0, progress=False)
    rows = [('train', time.time() - wall, time.process_time() - cpu, memory())]
    bulk = pseudo_bulk(reference, n_samples=1, n_cells=2000)
    wall, cpu = time.time(), time.process_time()
    print(balance(b.generate(bulk, 2000, seed=0)).to_string())
    rows.append(('one bulk -> 2,000 cells', time.time() - wall, time.process_time() - cpu, memory()))
    show('Speed: 2,700 cells x 13,000 genes, 17 types', pd.DataFrame(rows, columns=['step', 'seconds', 'CPU seconds', 'peak GB']).set_index('step'))

def cohort(seeds, cache, n_genes=1000):
    "Memory must not grow with the samples"
    cells = simulate(1200, n_genes, n_types=5, n_donors=1, n_batches=1, depth=2500, stim=0., seed=0)
    b, _ = trained(cells, 'cohort', 0, cache, net_steps=1000, deconv=dict(per=10))
    rows = []
    for n in (1, 10, 100):
        bulk, begun = pseudo_bulk(cells, n_samples=n, n_cells=1000), time.time()
        with TemporaryDirectory() as d:
            new = b.generate(bulk, 2000, seed=0, to=f'{d}/cohort.h5ad', progress=True)
            rows.append((n, new.n_obs, time.time() - begun, memory(), Path(f'{d}/cohort.h5ad').stat().st_size/1e6, balance(new).r.min()))
            new.file.close()
    show(f'Cohort: samples x 2,000 cells x {n_genes:,} genes', pd.DataFrame(rows, columns=['samples', 'cells', 'seconds', 'peak GB of the process', 'file MB', 'least mass r']).set_index('samples'))

def show(title, t): print(f'\n{title}\n{t.round(3).to_string(na_rep="")}', flush=True)

if __name__ == '__main__':
    p = ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('what', choices=['kang', 'pieces', 'simulator', 'speed', 'cohort', 'minute']); p.add_argument('--seeds', default='0,1,2'); p.add_argument('--cache'); p.add_argument('--only', help='one bulk of kang: stim107, ctrl107, stim101, ctrl101')
    a = p.parse_args()
    warnings.simplefilter('ignore', DataWarning); pd.set_option('display.width', 250); pd.set_option('display.max_columns', 40)
    seeds = [int(s) for s in a.seeds.split(',')]
    if a.what == 'minute': simulator(seeds if a.seeds != '0,1,2' else [0], a.cache, small=True)
    elif a.what == 'kang': kang(seeds, a.cache, a.only)
    else: dict(pieces=pieces, simulator=simulator, speed=speed, cohort=cohort)[a.what](seeds, a.cache)
