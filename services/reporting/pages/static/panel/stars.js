// What citizens gave: the mean, how many gave how many stars, and the departments beside each other.
import { el, t } from '../app.js';
import { bar, bars } from './bars.js';
import * as f from './formats.js';

export function stars(report, called) {
  const counts = (row) => [5, 4, 3, 2, 1].map((star) => ({ star, count: row.stars[star] || 0 }));
  return {
    load: async (state) => {
      const [all, by] = await Promise.all([report('satisfaction', state), report('satisfaction', state, { by: 'department' })]);
      return { ...all, departments: by.rows.filter((row) => row.group && row.ratings).sort((a, b) => b.ratings - a.ratings) };
    },
    nothing: ({ rows }) => (!rows.length || !rows[0].ratings) && t('Bu dönemde puan veren yok', 'Nobody rated in this period'),
    note: ({ rows: [row] }) => t(`${f.number(row.ratings)} puan; ${f.percent(row.satisfied_share)} kadarı 4 ya da 5 yıldız`, `${f.number(row.ratings)} ratings; ${f.percent(row.satisfied_share)} gave 4 or 5 stars`),
    draw: (body, { rows: [row], departments }, _, card) => {
      const table = el('div', {});
      const most = Math.max(...counts(row).map(({ count }) => count));
      bars(table, counts(row), [
        { head: t('Yıldız', 'Stars'), kind: 'name', cell: ({ star }) => `${star} ★` },
        { kind: 'bar', cell: ({ count }) => bar(count / most) },
        { head: t('Puan', 'Ratings'), kind: 'n', cell: ({ count }) => f.number(count) },
        { head: t('Pay', 'Share'), kind: 'n', class: 'soft', cell: ({ count }) => f.percent(count / row.ratings) },
      ], { caption: card.title });
      const each = el('div', {});
      bars(each, departments, [
        { head: t('Birim', 'Department'), kind: 'name', cell: (one) => called('department', one.group) },
        { kind: 'bar', cell: (one) => bar(one.average / 5) },
        { head: t('Ortalama', 'Average'), kind: 'n', cell: (one) => f.decimal(one.average) },
        { head: t('Puan', 'Ratings'), kind: 'n', class: 'soft', cell: (one) => f.number(one.ratings) },
      ], { caption: t('Birimlere göre memnuniyet', 'Satisfaction by department'), most: 5 });
      const full = Math.round(row.average);
      body.replaceChildren(el('div', { class: 'stars' }, el('div', { class: 'stars-mean' }, el('strong', {}, f.decimal(row.average)),
        el('span', { class: 'stars-row', 'aria-hidden': 'true' }, '★'.repeat(full) + '☆'.repeat(5 - full)), el('span', { class: 'unseen' }, t('5 üzerinden', 'of 5'))), table), each);
    },
  };
}
