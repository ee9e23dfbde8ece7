/**
 * What the report does in a browser: filters and sorts tables, describes the map, turns dark. Without it, everything is
 * there all the same. It is one fixed text, which the page's policy names by its hash.
 */
export const SCRIPT = `'use strict';
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
all('[data-script]').forEach((element) => { element.hidden = false; });

const theme = document.querySelector('#theme');
const darkScheme = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (document.documentElement.dataset.theme || (darkScheme.matches ? 'dark' : 'light')) === 'dark';
const tellTheme = () => theme.setAttribute('aria-pressed', String(isDark()));
theme.addEventListener('click', () => {
  document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
  tellTheme();
});
darkScheme.addEventListener('change', tellTheme);
tellTheme();

const search = document.querySelector('#search');
const kind = document.querySelector('#kind');
const rows = all('#contents tbody tr');
const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
const filter = () => {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    row.hidden = !((kind.value === '' || row.dataset.kind === kind.value) && words.every((word) => texts.get(row).includes(word)));
    if (!row.hidden) shown += 1;
  }
  document.querySelector('#count').textContent = shown + ' of ' + rows.length + ' shown';
  document.querySelector('#nothing').hidden = shown > 0;
};
search.addEventListener('input', filter);
kind.addEventListener('change', filter);
filter();

for (const head of all('th[data-sort]')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.append(...head.childNodes);
  head.append(button);
  const column = Array.from(head.parentNode.children).indexOf(head);
  button.addEventListener('click', () => {
    const isNumber = head.dataset.sort === 'number';
    const now = head.getAttribute('aria-sort');
    const next = now === 'descending' ? 'ascending' : now === 'ascending' ? 'descending' : isNumber ? 'descending' : 'ascending';
    all('th[aria-sort]', head.parentNode).forEach((other) => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', next);
    const body = head.closest('table').tBodies[0];
    const value = (row) => row.cells[column].dataset.value || '';
    const compare = (a, b) => isNumber ? Number(value(a)) - Number(value(b)) : value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0;
    const sign = next === 'ascending' ? 1 : -1;
    body.append(...Array.from(body.rows).sort((a, b) => sign * compare(a, b)));
  });
}

for (const map of all('svg.map')) {
  const groups = all('a', map);
  const details = document.querySelector('#details');
  const show = (group) => { details.textContent = group.querySelector('title').textContent; };
  groups.forEach((group, at) => {
    group.setAttribute('tabindex', at === 0 ? '0' : '-1');
    group.addEventListener('mouseenter', () => show(group));
    group.addEventListener('focus', () => show(group));
    group.addEventListener('keydown', (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const to = event.key === 'Home' ? 0 : event.key === 'End' ? groups.length - 1 : step === undefined ? -1 : at + step;
      if (to < 0 || to >= groups.length) return;
      event.preventDefault();
      group.setAttribute('tabindex', '-1');
      groups[to].setAttribute('tabindex', '0');
      groups[to].focus();
    });
    group.addEventListener('click', () => { search.value = ''; kind.value = ''; filter(); });
  });
}
`
