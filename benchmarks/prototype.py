"""The bar: a smaller model of the same kind, written down from its recipe, on the splits and seeds on which scGM is judged (generate.py).

    python benchmarks/prototype.py                      PBMC3k (label in the decoder, and without), paul15 and Tian, seeds 0 1 2 (SCGM_DATA)
    python benchmarks/prototype.py --sets paul15 --seeds 0
    python benchmarks/prototype.py --small              simulated cells, one seed, a minute
    python benchmarks/prototype.py --draws 10           PBMC3k: scGM, with and without its diffusion, and the prototype, ten draws of each trained model,
                                                        since the figures of one draw of 500 cells move (label accuracy and the library's KS by .01);
                                                        --trees 200: the forests, too

A negative-binomial VAE of 16 numbers and 128 hidden units with a normal prior on its output weights, a diffusion of (z, log library) whitened
type by type, 16 Heun steps, and one overdispersion a gene, set by simulation. No genes hidden, no luck shared, no jackpots, no accents.
"""
import copy, time, warnings
from argparse import ArgumentParser, RawDescriptionHelpFormatter
import numpy as np, pandas as pd, scipy.sparse as sp, torch
from anndata import AnnData
from sklearn.covariance import LedoitWolf
from torch import nn
from torch.nn import functional as F
import scgm_nb as sg
from scgm_nb.likelihoods import count_log_prob, nb
from scgm_nb.measures import within
from generate import pooled, summary
from quality import sets

forms = {'PBMC3k': (True, False), 'paul15': (False,), 'Tian': (True,)}   # is the decoder told the label?

def dense(X): return np.asarray(X.toarray() if sp.issparse(X) else X, np.float32)

def per_10k(X): return X/X.sum(1, keepdims=True).clip(1)*1e4

def moments(X, y):
    "Overdispersion of each gene from deviations within types, given the library; weak genes take the median"
    E = np.zeros_like(X)
    for t in np.unique(y): E[y == t] = X[y == t].sum(1, keepdims=True)*X[y == t].sum(0)/X[y == t].sum()
    φ = ((X - E)**2 - E).sum(0)/np.maximum((E**2).sum(0), 1e-9)
    φ = (len(X)*φ.clip(0) + 30*.3)/(len(X) + 30)
    weak = X.mean(0) < .05
    φ[weak] = np.median(φ[~weak])
    return φ.clip(.01, 5)

def start_bias(X, y, told):
    "Log share of each gene (in each type, where the decoder is told the type)"
    p = X.sum(0)/X.sum()
    if not told: return np.log(p + 1e-8)[None]
    S = np.stack([X[y == t].sum(0) for t in range(y.max() + 1)])
    return np.log(p*(S + 5)/(p*S.sum(1, keepdims=True) + 5) + 1e-12)

class Coder(nn.Module):
    "Encoder and decoder"
    def __init__(self, X, y, told, latent=16, hidden=128):
        super().__init__()
        L = np.log1p(per_10k(X))
        self.told, self.top = told, torch.as_tensor(np.sort(np.argsort(-L.var(0))[:3000]))
        put = lambda name, value: self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))
        put('centre', L[:, self.top].mean(0)); put('scale', L[:, self.top].std(0) + .1)
        layer = lambda a: [nn.Linear(a, hidden), nn.LayerNorm(hidden), nn.SiLU()]
        self.up, self.read = nn.Sequential(*layer(len(self.top)), nn.Dropout(.1)), nn.Linear(hidden, 2*latent)
        self.down, self.out = nn.Sequential(*layer(latent)), nn.Linear(hidden, X.shape[1], bias=False)
        self.bias = nn.Parameter(torch.as_tensor(start_bias(X, y, told), dtype=torch.float32))
        self.log_φ = nn.Parameter(torch.as_tensor(np.log(moments(X, y)), dtype=torch.float32))

    def encode(self, x):
        l = torch.log1p(per_10k(x))[:, self.top]
        return self.read(self.up(((l - self.centre)/self.scale).clamp(-8, 8))).chunk(2, 1)

    def rate(self, z, total, y): return total*F.softmax(self.out(self.down(z)) + self.bias[y if self.told else torch.zeros_like(y)], 1)

    def elbo(self, x, y, kl=1.):
        m, v = self.encode(x)
        z = m + (v/2).exp()*torch.randn_like(m) if self.training else m
        log_p = count_log_prob(nb, x, self.rate(z, x.sum(1, keepdim=True), y), self.log_φ.exp())
        return (kl*.5*(m**2 + v.exp() - v - 1).sum(1) - log_p).mean()

    def prior(self, n):
        w = self.out.weight.square().sum()/(2*.05**2*n)
        return w + ((self.bias - self.bias.mean(0)).square().sum()/(2*.1**2*n) if self.told else 0)

def train_coder(X, y, told, seed, most=200, longest=300):
    "Learn until held-out cells have stopped to gain, at three rates one after the other"
    torch.manual_seed(seed); rng, start = np.random.default_rng(seed), time.time()
    held = np.zeros(len(y), bool)
    for t in np.unique(y): held[rng.permutation(np.flatnonzero(y == t))[:max(1, round(.1*(y == t).sum()))]] = True
    x, t = torch.as_tensor(X), torch.as_tensor(y)
    net = Coder(X[~held], y[~held], told)
    others = [p for p in net.parameters() if p is not net.log_φ]
    optimiser = torch.optim.AdamW([dict(params=others, lr=2e-3), dict(params=[net.log_φ], lr=6e-3)], weight_decay=1e-4)
    best, since, drops, kept = np.inf, 0, 0, None
    for epoch in range(most):
        net.train()
        for rows in np.array_split(rng.permutation(np.flatnonzero(~held)), max(1, (~held).sum()//128)):
            loss = net.elbo(x[rows], t[rows], min(1, (epoch + 1)/20)) + net.prior((~held).sum())
            optimiser.zero_grad(); loss.backward(); nn.utils.clip_grad_norm_(net.parameters(), 200); optimiser.step()
        if epoch % 2: continue
        net.eval()
        with torch.no_grad(): now = float(net.elbo(x[held], t[held]))
        if now < best - .05: best, since, kept = now, epoch, copy.deepcopy(net.state_dict())
        elif epoch - since >= 15:
            net.load_state_dict(kept); drops, since = drops + 1, epoch
            if drops == 3: break
            for group in optimiser.param_groups: group['lr'] *= .3
        if time.time() - start > longest: break
    net.load_state_dict(kept)
    return net.eval(), epoch + 1

class Denoiser(nn.Module):
    "Three residual blocks that are told the noise and the type"
    def __init__(self, dim, types, width=128, blocks=3):
        super().__init__()
        self.waves = nn.Parameter(torch.randn(8), requires_grad=False)
        self.told, self.names = nn.Sequential(nn.Linear(16, width), nn.SiLU(), nn.Linear(width, width)), nn.Embedding(types, width)
        self.first, self.last = nn.Linear(dim, width), nn.Linear(width, dim)
        self.norms, self.films = (nn.ModuleList(make() for _ in range(blocks)) for make in (lambda: nn.LayerNorm(width), lambda: nn.Linear(width, 2*width)))
        self.ways = nn.ModuleList(nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)) for _ in range(blocks))
        nn.init.zeros_(self.last.weight); nn.init.zeros_(self.last.bias)

    def forward(self, x, σ, y):
        s = σ.expand(len(x))[:, None]
        total = (s**2 + 1).sqrt()
        wave = 2*np.pi*s.log()/4*self.waves
        told = self.told(torch.cat([wave.sin(), wave.cos()], 1)) + self.names(y)
        h = self.first(x/total)
        for norm, film, way in zip(self.norms, self.films, self.ways):
            a, b = film(told).chunk(2, 1)
            h = h + way(norm(h)*(1 + a) + b)
        return x/total**2 + s/total*self.last(h)

def whitening(M, V, y):
    "Mean and Cholesky factor of each type: shrunk covariance of the means, and the variance that is drawn"
    out = []
    for t in range(y.max() + 1):
        sd = M[y == t].std(0) + 1e-6
        C = LedoitWolf().fit(M[y == t]/sd).covariance_*np.outer(sd, sd) + np.diag(V[y == t].mean(0))
        out.append((M[y == t].mean(0), np.linalg.cholesky(C)))
    return [torch.as_tensor(np.stack(x), dtype=torch.float32) for x in zip(*out)]

def train_denoiser(M, V, y, seed, steps=2000):
    "EDM on latents drawn anew in each batch"
    torch.manual_seed(seed + 1)
    (μ, C), net = whitening(M, V, y), Denoiser(M.shape[1], y.max() + 1)
    M, V, y, back = (torch.as_tensor(M, dtype=torch.float32), torch.as_tensor(V, dtype=torch.float32), torch.as_tensor(y), torch.linalg.inv(C))
    optimiser, mean = torch.optim.AdamW(net.parameters(), lr=2e-3), torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(.999))
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: min(1, (i + 1)/100)*.5*(1 + np.cos(np.pi*max(0, i - 100)/(steps - 100))))
    for _ in range(steps):
        rows = torch.randint(len(y), (256,))
        x = M[rows] + V[rows].sqrt()*torch.randn(256, M.shape[1]) - μ[y[rows]]
        x = torch.einsum('nij,nj->ni', back[y[rows]], x)
        σ = (-.6 + 1.2*torch.randn(256)).exp()
        loss = (((net(x + σ[:, None]*torch.randn_like(x), σ, y[rows]) - x)**2).mean(1)*(σ**2 + 1)/σ**2).mean()
        optimiser.zero_grad(); loss.backward(); optimiser.step(); rate.step(); mean.update_parameters(net)
    return mean.module.eval(), μ, C

class Prototype:
    "Coder, diffusion, and overdispersions set by simulation"
    def __init__(self, train, told, seed):
        self.names, self.seed = sorted(set(train.obs.cell_type.astype(str))), seed
        X, y = dense(train.X), self.codes(train)
        self.coder, self.epochs = train_coder(X, y, told, seed)
        with torch.no_grad(): m, v = self.coder.encode(torch.as_tensor(X))
        M, V = np.c_[m.numpy(), np.log(X.sum(1))], np.c_[v.exp().numpy(), np.zeros(len(X))]
        self.net, self.μ, self.C = train_denoiser(M, V, y, seed)
        self.φ = np.exp(self.coder.log_φ.detach().numpy().astype(float))
        self.calibrate(X, y)

    def codes(self, cells): return np.array([self.names.index(t) for t in cells.obs.cell_type.astype(str)])

    @torch.no_grad()
    def rates(self, y, seed):
        "Expected counts of new cells"
        g, y = torch.Generator().manual_seed(seed), torch.as_tensor(y)
        sigmas = sg.karras(16, low=.02, high=20, ρ=5).float()
        x = sg.heun(lambda x, σ: self.net(x, torch.as_tensor(σ, dtype=torch.float32), y), sigmas[0]*torch.randn(len(y), self.μ.shape[1], generator=g), sigmas)
        u = self.μ[y] + torch.einsum('nij,nj->ni', self.C[y], x)
        return self.coder.rate(u[:, :-1], u[:, -1:].exp(), y).numpy().astype(float)

    def counts(self, μ, φ, rng): return rng.poisson(rng.gamma(1/φ, φ, μ.shape)*μ).astype(np.float32)

    def calibrate(self, X, y):
        "The factor on each overdispersion at which drawn cells vary within types as real ones do, shrunk by its error"
        def spread(X, y):
            return np.log((within(np.log1p(per_10k(X)), y)**2).mean(0) + 1e-9)
        rng = np.random.default_rng(self.seed)
        at = np.resize(rng.permutation(len(y)), 1500)
        μ, factors, wanted = self.rates(y[at], self.seed + 5), np.log([.25, .5, 1, 2, 4]), spread(X, y)
        curve = np.stack([spread(self.counts(μ, np.exp(f)*self.φ, rng), y[at]) for f in factors])
        found = np.array([np.interp(w, np.maximum.accumulate(c), factors) for w, c in zip(wanted, curve.T)])
        slope = np.maximum((curve[-1] - curve[0])/(factors[-1] - factors[0]), 1e-3)
        se2 = (3/len(y) + 3/1500)/slope**2
        self.φ = self.φ*np.exp(found*.49/(.49 + se2))

    def generate(self, cells, seed):
        "As many cells of each type as there are here"
        y = self.codes(cells)
        X = self.counts(self.rates(y, seed), self.φ, np.random.default_rng(seed))
        return AnnData(sp.csr_matrix(X), obs=pd.DataFrame({'cell_type': cells.obs.cell_type.astype(str).to_numpy()}, index=[f'new {i}' for i in range(len(y))]), var=pd.DataFrame(index=cells.var_names))

knows = {True: 'label told', False: 'label not told'}

def timed(train):
    "A trained model, and the seconds that it took"
    start = time.time()
    return train(), time.time() - start

def one(name, train, test, seed, told):
    "Train, generate, judge"
    model, took = timed(lambda: Prototype(train, told, seed))
    table = pooled(sg.evaluate(test, model.generate(test, seed), train, labels='cell_type', seed=seed, progress=False).table)
    name = f'{name}, {knows[told]}'
    print(f'{name}, seed {seed}: {model.epochs} epochs, trained in {took:.0f} s\n' + table[['value', 'low', 'high']].T.to_string(float_format='{:.3f}'.format), flush=True)
    return table.assign(set=name, seed=seed, train_s=took)

def no_diffusion(gm, train, like, seed):
    "scGM's cells from the numbers of training cells, drawn anew from q(z|x): what its diffusion could reach at best"
    names, rng = train.obs.cell_type.astype(str).to_numpy(), np.random.default_rng(seed)
    at = np.array([rng.choice(np.flatnonzero(names == t)) for t in like.obs.cell_type.astype(str)])
    code = np.array([gm.place_name(t)[1] for t in names[at]])
    X = gm.vae.draw(gm.vae.latent(train[at].X, seed), np.asarray(train[at].X.sum(1)).ravel(), name=code, seed=seed)
    return AnnData(X, obs=like.obs[['cell_type']].copy(), var=train.var.copy())

def often(name, train, test, seed, told, draws, trees):
    "scGM and the prototype on one split, judged by many draws"
    judged = dict(labels='cell_type', trees=trees, seed=seed, progress=False)
    gm, took = timed(lambda: sg.ScGM.train(train, 'cell_type', seed=seed, progress=False))
    new = lambda k: gm.generate(test.obs[['cell_type']], seed=k)
    floor = sg.evaluate(test, new(0), train, **judged)   # once, for all that follow

    def drawn(model, generate, took):
        found = pd.concat([pooled(sg.evaluate(test, generate(1000*seed + k), train, floor=floor, **judged).table) for k in range(draws)])
        found = found[['value', 'low', 'high']].groupby('metric', sort=False)
        print(f'\n{model}, seed {seed}, {draws} draws; trained in {took:.0f} s\n' + found.mean().assign(**{'sd of a draw': found.value.std()}).T.to_string(float_format='{:.3f}'.format), flush=True)
        return found.mean().assign(set=f'{name}: {model}', seed=seed, train_s=took)

    tables = [drawn('scGM', new, took), drawn('scGM without its diffusion', lambda k: no_diffusion(gm, train, test, k), took)]
    for form in told:
        model, took = timed(lambda: Prototype(train, form, seed))
        tables.append(drawn(f'prototype, {knows[form]}', lambda k: model.generate(test, k), took))
    return tables

if __name__ == '__main__':
    warnings.filterwarnings('ignore', category=sg.DataWarning)
    args = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    args.add_argument('--sets', nargs='*'); args.add_argument('--seeds', nargs='*', type=int, default=[0, 1, 2]); args.add_argument('--small', action='store_true')
    args.add_argument('--draws', type=int, default=0); args.add_argument('--trees', type=int, default=0)
    args = args.parse_args()
    chosen = args.sets or (['PBMC3k'] if args.draws else list(forms))
    splits = ((name, train, test, seed) for seed in args.seeds for name, train, test in sets(seed) if name in chosen)
    if args.small: found = [one('simulated', *sg.split(sg.simulate(900, 400, n_types=4, seed=0), by='cell_type'), 0, False)]
    elif args.draws: found = [table for name, *split in splits for table in often(name, *split, forms[name], args.draws, args.trees)]
    else: found = [one(name, *split, told) for name, *split in splits for told in forms[name]]
    summary(found, 'mean of draws' if args.draws else 'prototype')
