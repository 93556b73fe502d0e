"""Render the book without Quarto: README.md from index.ipynb, and one page a chapter in _docs/. Nothing is run.

    python .ci/render.py              README.md and the site
    python .ci/render.py --check      fail when README.md is not what index.ipynb gives
    python .ci/render.py --out DIR    the site into another folder, README.md left alone

Title and order of the pages stand in `_quarto.yml`; what is hidden, where a page stands and where a name is defined is as nbdev
has it. One thing differs from the Quarto route: an exported cell keeps its source, where nbdev would show a table of its parameters.
"""
import ast, html, os, re, shutil, sys
from argparse import ArgumentParser
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path

import yaml
from execnb.nbio import NbCell, nb2str, read_nb
from fastcore.foundation import L
from nbconvert import HTMLExporter, MarkdownExporter
from nbdev.config import get_config
from nbdev.doclinks import _nbpath2html, patch_name
from nbdev.process import NBProcessor
from nbdev.processors import filter_stream_, hide_, hide_line, rm_header_dash, strip_ansi
from nbformat import reads
from pygments.formatters import HtmlFormatter

os.environ['JUPYTER_PLATFORM_DIRS'] = '1'
cfg = get_config()
root = cfg.config_path
quarto = yaml.safe_load((root/'_quarto.yml').read_text(encoding='utf-8'))['website']
figures = root/'index_files'


# --- what is in the book -----------------------------------------------------------------------------------------
def pages():
    "(section, notebook) in the order of the sidebar"
    for item in quarto['sidebar']['contents']:
        if isinstance(item, str): yield '', item
        else: yield from ((item['section'], nb) for nb in item['contents'])

def address(notebook):
    "Where a notebook's page stands in the site: nbs/00_data.ipynb -> nbs/data.html, as in nbdev"
    return _nbpath2html(Path(notebook)).as_posix()

def title(notebook):
    "The first heading"
    text = '\n'.join(cell.source for cell in read_nb(root/notebook).cells if cell.cell_type == 'markdown')
    return re.search(r'^# +(.+)$', text, re.M)[1].strip()

@cache
def names():
    "name -> page#anchor, for every exported function, class and method"
    index = SourceFileLoader('modidx', str(cfg.lib_path/'_modidx.py')).load_module().d['syms']
    return {full.removeprefix(module + '.'): place[0] for module, found in index.items() for full, place in found.items()}


# --- a notebook, processed ---------------------------------------------------------------------------------------
def drop_hidden(cell):
    "Cells that are there for the machine"
    if cell.directives_.keys() & {'hide', 'default_exp'}: del cell['source']

def drop_echo(cell):
    "`#| echo: false` keeps what a cell shows and leaves out its code"
    if cell.cell_type != 'code': return
    if cell.directives_.get('echo:', [''])[0] == 'false': cell.metadata['transient'] = dict(remove_source=True)
    cell.source = re.sub(r'^#\| .*\n?', '', cell.source, flags=re.M)
    if not cell.outputs and 'transient' in cell.metadata: del cell['source']

def processed(notebook):
    "The cells a reader sees"
    procs = [strip_ansi, hide_line, filter_stream_, rm_header_dash, drop_hidden, drop_echo, hide_]
    return NBProcessor(root/notebook, procs=procs, process=True).nb

def defined(source):
    "Names of the functions, classes and methods that a cell defines"
    kinds = ast.FunctionDef, ast.ClassDef
    for node in ast.parse(source).body:
        if not isinstance(node, kinds): continue
        yield from L(patch_name(node) if isinstance(node, ast.FunctionDef) else node.name)
        yield from (f'{node.name}.{inner.name}' for inner in node.body if isinstance(inner, kinds))

def anchored(cells):
    "Before each exported cell an anchor per name, so that links by name arrive"
    for cell in cells:
        if cell.cell_type == 'code' and cell.directives_.keys() & {'export', 'exports', 'exporti'}:
            ids = ''.join(f'<a id="{name.lower()}"></a>' for name in defined(cell.source))
            if ids: yield NbCell(0, dict(cell_type='markdown', id=f'a{cell.id}', metadata={}, source=ids))
        yield cell

def plain(nb):
    "The same for nbconvert"
    nb.metadata['language_info'] = dict(name='python')
    return reads(nb2str(nb), as_version=4)


# --- links -------------------------------------------------------------------------------------------------------
def to_pages(match, notebook):
    "A link to a notebook goes to its page, a link to any other file of the repository to where that is kept"
    target, _, anchor = match[1].partition('#')
    if re.match(r'[a-z]+:', target) or not target: return match[0]
    file = (root/notebook).parent/target
    if not file.exists(): return match[0]
    if file.suffix == '.ipynb': return f'href="{address(target)}{"#" * bool(anchor)}{anchor}"'
    return f'href="{cfg.git_url}/blob/{cfg.branch}/{os.path.relpath(file.resolve(), root)}"'

def by_name(match, notebook):
    "`evaluate` in the prose leads to where `evaluate` is defined"
    place = names().get(match[1])
    return f'<a href="{os.path.relpath(place, Path(notebook).parent)}">{match[0]}</a>' if place else match[0]

def linked(body, notebook):
    "All links of a page, made relative"
    body = re.sub(r'href="([^"]+)"', lambda m: to_pages(m, notebook), body)
    return re.sub(r'(?<!">)<code>([\w.]+)(?:\(\))?</code>', lambda m: by_name(m, notebook), body)


# --- a page ------------------------------------------------------------------------------------------------------
style = '''
:root { --ink:#1d2733; --soft:#5b6b7b; --line:#e3e8ed; --wash:#f6f8fa; --accent:#0b6e8f }
* { box-sizing:border-box }
body { margin:0; color:var(--ink); font:17px/1.6 system-ui, sans-serif }
a { color:var(--accent); text-decoration:none } a:hover { text-decoration:underline }
.book { display:grid; grid-template-columns:17rem minmax(0,1fr) }
.book > nav { position:sticky; top:0; height:100vh; overflow:auto; padding:1.5rem; border-right:1px solid var(--line); font-size:.88rem }
nav b { display:block; margin:1rem 0 .3rem; color:var(--soft); font-weight:600 } nav .name { font-size:1.2rem; color:var(--ink) }
nav ol { margin:0; padding-left:1rem; list-style:none } nav > ol { padding:0 } nav .here > a { font-weight:700 }
main { max-width:50rem; width:100%; padding:1rem 2rem 4rem } h1, h2, h3 { line-height:1.25; margin:2.2rem 0 .8rem } h1 { font-size:2.1rem }
blockquote { margin:1rem 0; padding:.1rem 1rem; border-left:4px solid var(--accent); color:var(--soft) }
pre { margin:.5rem 0; padding:.7rem .9rem; overflow-x:auto; font:13.5px/1.5 ui-monospace, Menlo, Consolas, monospace }
.input pre, .text_cell_render pre { background:var(--wash); border:1px solid var(--line); border-radius:6px }
.output pre { padding:.1rem .9rem; color:var(--soft); max-height:26rem } .output_stderr pre { border-left:3px solid #d9a441 }
code { font:.88em ui-monospace, Menlo, Consolas, monospace } :not(pre) > code { background:var(--wash); padding:.1em .3em; border-radius:4px }
img { max-width:100%; height:auto } .prompt, .anchor-link { display:none }
table { border-collapse:collapse; font-size:.85rem; margin:.8rem 0; display:block; overflow-x:auto } td, th { padding:.3rem .7rem; border-bottom:1px solid var(--line); text-align:left }
.turn { display:flex; justify-content:space-between; margin-top:3rem; border-top:1px solid var(--line); padding-top:1rem }
@media (max-width:52rem) { .book { display:block } .book > nav { position:static; height:auto; border:0 } main { padding:0 1.2rem 3rem } }
@media print { .book { display:block } .book > nav, .turn { display:none } }
'''
maths = '''<script>MathJax = {tex: {inlineMath: [['$', '$'], ['\\\\(', '\\\\)']], processEscapes: true}, options: {processHtmlClass: 'text_cell_render'}}</script>
<script async src="https://cdn.jsdelivr.net/npm/mathjax@3/es5/tex-chtml.js"></script>'''

def contents(body):
    "The second-level headings of a page"
    rows = re.findall(r'<h2 id="([^"]+)"[^>]*>(.*?)</h2>', body, re.S)
    return '<ol>' + ''.join(f'<li><a href="#{i}">{re.sub("<a .*?</a>|<[^>]+>", "", text).strip()}</a></li>' for i, text in rows) + '</ol>'

def sidebar(here, body):
    "All chapters, this one opened"
    out, last, up = [f'<a class="name" href="{relative("index.ipynb", here)}">{quarto["title"]}</a>', '<ol>'], '', relative
    for section, nb in pages():
        if section != last: out.append(f'</ol><b>{html.escape(section)}</b><ol>')
        mark, inner, last = ('class="here"', contents(body), section) if nb == here else ('', '', section)
        out.append(f'<li {mark}><a href="{up(nb, here)}">{html.escape(title(nb))}</a>{inner}</li>')
    return '\n'.join(out) + '</ol>'

def relative(notebook, here):
    "The way from one page to another"
    return os.path.relpath(address(notebook), Path(here).parent)

def turn(here):
    "Back and on"
    books = [nb for _, nb in pages()]; i = books.index(here)
    side = lambda j, arrow: f'<a href="{relative(books[j], here)}">{arrow.format(html.escape(title(books[j])))}</a>' if 0 <= j < len(books) else '<i></i>'
    return f'<div class="turn">{side(i - 1, "← {}")}{side(i + 1, "{} →")}</div>'

def page(notebook):
    "One chapter as one file, figures inside"
    nb = processed(notebook)
    nb.cells = list(anchored(nb.cells))
    export = HTMLExporter(template_name='basic', exclude_input_prompt=True, exclude_output_prompt=True, embed_images=True)
    body = linked(export.from_notebook_node(plain(nb))[0], notebook)
    head = maths if any('$' in c.source for c in nb.cells if c.cell_type == 'markdown') else ''
    return f'''<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title(notebook))} · {quarto["title"]}</title>
<style>{style}{HtmlFormatter(style="friendly").get_style_defs(".highlight")} .highlight {{ background:none }}</style>{head}</head>
<body><div class="book"><nav aria-label="chapters">{sidebar(notebook, body)}</nav>
<main>{body}{turn(notebook)}</main></div></body></html>
'''


# --- what is written ---------------------------------------------------------------------------------------------
def site(out):
    "All pages, beside and then in place"
    new = out.with_name(f'.{out.name}.{os.getpid()}')
    for _, nb in pages():
        file = new/address(nb)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page(nb), encoding='utf-8')
    if out.exists(): shutil.rmtree(out)
    new.rename(out)
    return sum(1 for _ in pages())

def readme():
    "README.md and its figures, as {path: bytes}"
    text, extra = MarkdownExporter(exclude_input_prompt=True).from_notebook_node(plain(processed('index.ipynb')))
    files = {}
    for i, (name, data) in enumerate(sorted(extra['outputs'].items(), key=lambda item: text.index(item[0])), 1):
        files[figures/f'figure-{i}.png'] = data
        text = text.replace(f'({name})', f'(index_files/figure-{i}.png)').replace('![png]', '![figure]')
    text = re.sub(r'[ \t]+$', '', text, flags=re.M)
    text = '<!-- made from index.ipynb by .ci/render.py: edit that one -->\n\n' + re.sub(r'\n{3,}', '\n\n', text).strip() + '\n'
    return {root/'README.md': text.encode(), **files}

def stale():
    "Files of the README that are not what index.ipynb gives"
    new = readme()
    old = {file: file.read_bytes() for file in [root/'README.md', *figures.glob('*')] if file.exists()}
    return sorted(os.path.relpath(file, root) for file in new.keys() | old.keys() if new.get(file) != old.get(file))

def write_readme():
    "README.md and its figures, no figure of yesterday among them"
    shutil.rmtree(figures, ignore_errors=True)
    for file, data in readme().items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)

def main():
    args = ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('--check', action='store_true', help='only say whether README.md is current')
    args.add_argument('--out', type=Path, help='folder of the site, instead of _docs with README.md')
    args = args.parse_args()
    if args.check:
        old = stale()
        if old: sys.exit(f'{", ".join(old)}: not what index.ipynb gives; run python .ci/render.py')
        return
    if not args.out: write_readme()
    out = (args.out or cfg.doc_path).absolute()
    print(f'{site(out)} pages in {out.name}/' + ('' if args.out else ', README.md'))

if __name__ == '__main__': main()
