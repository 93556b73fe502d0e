"""Does the repository agree with itself? One line a check; a failing one names what to run.

    python .ci/check.py                every check
    python .ci/check.py notebooks size some of them
"""
import os, re, subprocess, sys
from pathlib import Path

import yaml
from execnb.nbio import read_nb
from nbdev.config import get_config
from nbdev.doclinks import nbglob

cfg = get_config()
root = cfg.config_path
chapters = sorted((root/'nbs').glob('*.ipynb'))

def name(path): return path.relative_to(root).as_posix()

def command(*words):
    "Run and return what it printed; a failing command is a failing check"
    env = {k: v for k, v in os.environ.items() if k != 'IN_TEST'}   # nbdev exports nothing while it tests
    env['PATH'] = os.pathsep.join([str(Path(sys.executable).parent), env['PATH']])
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, env=env)
    if done.returncode: raise RuntimeError(f'{" ".join(words)}: {done.stderr[-800:]}')
    return done.stdout

def changed(*paths):
    "Files that are not as committed, those not yet added among them"
    return [row[3:] for row in command('git', 'status', '--porcelain', '--untracked-files=all', '--', *paths).splitlines()]

def exported():
    "The package is what the notebooks export: run nbdev_export and commit"
    before = changed('scgm_nb')
    command('nbdev_export')
    orphan = [name(file) for file in cfg.lib_path.glob('*.py') if not from_notebook(file)]
    return before + changed('scgm_nb') + orphan

def from_notebook(file):
    "Does the notebook that a module names still export it?"
    if file.stem in ('__init__', '_modidx'): return True
    source = re.search(r'File to edit: (.+?)\.?$', file.read_text(encoding='utf-8'), re.M)
    book = source and cfg.lib_path/source[1]
    return bool(book) and book.exists() and re.search(rf'#\| *default_exp +{file.stem}\b', book.read_text(encoding='utf-8'))

def clean():
    "Notebooks carry no execution counts and no metadata: run nbdev_clean and commit"
    before = changed('*.ipynb')
    command('nbdev_clean')
    return before + changed('*.ipynb')

def readme():
    "README.md is what index.ipynb gives: run python .ci/render.py and commit"
    done = subprocess.run([sys.executable, root/'.ci'/'render.py', '--check'], cwd=root, capture_output=True, text=True)
    return [done.stderr.strip()[-800:]] if done.returncode else changed('README.md', 'index_files')

def sidebar():
    "Each chapter stands once in the sidebar of _quarto.yml, in the order of the file names: edit _quarto.yml"
    contents = yaml.safe_load((root/'_quarto.yml').read_text(encoding='utf-8'))['website']['sidebar']['contents']
    listed = [nb for item in contents for nb in ([item] if isinstance(item, str) else item['contents'])]
    wanted = ['index.ipynb', *map(name, chapters)]
    return [] if listed == wanted else [f'listed {listed}', f'there {wanted}']

def size():
    "A notebook is at most 1.5 MB: draw smaller or fewer figures"
    return [f'{name(nb)} {nb.stat().st_size/1e6:.2f} MB' for nb in nbglob(as_path=True) if nb.stat().st_size > 1.5e6]

def outputs():
    "Chapters are committed with what they print and draw, and without an error: run python .ci/refresh.py"
    return [f'{name(nb)}: {lack}' for nb in chapters if (lack := lacking(nb))]

def lacking(path):
    "What a committed chapter should have and has not"
    outs = [out for cell in read_nb(path).cells for out in cell.get('outputs', [])]
    if any(out.output_type == 'error' for out in outs): return 'an error is kept in it'
    if not any('image/png' in out.get('data', {}) for out in outs): return 'no figure'

checks = dict(exported=exported, clean=clean, readme=readme, sidebar=sidebar, size=size, outputs=outputs)

def run(check):
    "'' or why it failed; a check that breaks has failed"
    try: wrong = check()
    except Exception as error: wrong = [f'{type(error).__name__}: {error}']
    return '\n    '.join([check.__doc__, *dict.fromkeys(wrong)]) if wrong else ''

def main():
    asked = sys.argv[1:] or list(checks)
    wrong = {each: run(checks[each]) for each in asked}
    for each, why in wrong.items(): print(f'failed: {each}: {why}' if why else f'passed: {each}')
    sys.exit(any(wrong.values()))

if __name__ == '__main__': main()
