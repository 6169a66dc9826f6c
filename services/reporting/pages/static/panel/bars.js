// Bars that are tables: names that lead to the requests behind them, and columns that line up.
import { el, t } from '../app.js';

// A bar of `share` of its track (0 to 1); `was`: where it stood in the period before.
export function bar(share, was = null) {
  const inner = el('span', {});
  inner.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  if (share > 0) inner.style.minWidth = '2px';
  const track = el('span', { class: 'track', 'aria-hidden': 'true' }, inner);
  if (was !== null) {
    const mark = el('span', { class: 'was' });
    mark.style.width = `${Math.max(0, Math.min(1, was)) * 100}%`;
    track.append(mark);
  }
  return track;
}

// A bar in parts: [[class, count], …] of `whole`.
export function split(parts, whole) {
  return el('span', { class: 'split', 'aria-hidden': 'true' }, ...parts.filter(([, count]) => count > 0).map(([key, count]) => {
    const part = el('span', { class: key });
    part.style.width = `${(count / whole) * 100}%`;
    return part;
  }));
}

// columns: [{ head, kind: 'name' | 'bar' | 'n', class, cell(row) → text or node, href(row) }]; what is beyond `most` rows is a click away.
export function bars(body, rows, columns, { caption, most = 10 }) {
  if (document.body.classList.contains('wall')) most = Math.min(most, 8);
  const head = (column) => (column.kind === 'bar' ? el('td', { class: column.class }) : el('th', { scope: 'col', class: `${column.kind === 'n' ? 'n' : ''} ${column.class || ''}` }, column.head));
  const cell = (row) => (column) => {
    const value = column.cell(row);
    const href = column.href?.(row);
    const inner = href ? el('a', { href }, value) : value;
    if (column.kind === 'name') return el('th', { scope: 'row' }, inner);
    return el('td', { class: `${column.kind === 'bar' ? 'bar-cell' : 'n'} ${column.class || ''}` }, inner);
  };
  const line = (row) => el('tr', {}, ...columns.map(cell(row)));
  const lines = el('tbody', {}, ...rows.slice(0, most).map(line));
  const table = el('table', { class: 'bars' }, el('caption', { class: 'unseen' }, caption), el('thead', {}, el('tr', {}, ...columns.map(head))), lines);
  body.replaceChildren(table);
  if (rows.length <= most) return;
  const more = el('button', { type: 'button', class: 'button quiet small' }, t(`Tümünü göster (${rows.length})`, `Show all (${rows.length})`));
  more.addEventListener('click', () => { lines.append(...rows.slice(most).map(line)); more.parentNode.remove(); lines.children[most].querySelector('a')?.focus(); });
  body.append(el('p', { class: 'rest' }, more));
}

// The numbers of a chart as a table: the same, to read and to hear. rows: [{ href, cells }].
export function plainTable(body, { heads, rows }, caption) {
  const first = (row) => (row.href ? el('a', { href: row.href }, row.cells[0]) : row.cells[0]);
  body.replaceChildren(el('div', { class: 'figure-table', tabindex: '0', role: 'region', 'aria-label': caption }, el('table', {},
    el('caption', { class: 'unseen' }, caption),
    el('thead', {}, el('tr', {}, ...heads.map((head) => el('th', { scope: 'col' }, head)))),
    el('tbody', {}, ...rows.map((row) => el('tr', {}, el('th', { scope: 'row' }, first(row)), ...row.cells.slice(1).map((value) => el('td', {}, value))))))));
}
