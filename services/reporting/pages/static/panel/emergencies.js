// Emergencies that are open now, the newest first.
import { ago, due, el, icon, t } from '../app.js';
import { ask } from './data.js';
import { parameters } from './state.js';

const SHOWN = 6;

export function emergencies(config, called, to) {
  return {
    load: (state) => ask('/v1/requests', parameters(state, { emergency: 'true', status: 'open', limit: String(SHOWN) }, { always: true })),
    nothing: () => false,
    note: ({ items }) => (items.length ? t('En yenisi üstte', 'The newest first') : t('Açık acil durum yok.', 'No emergency is open.')),
    draw: (body, { items, next_cursor: more }, state, card) => {
      card.node.classList.toggle('quiet', !items.length);
      const line = (one) => {
        const [left, urgency] = one.due.resolve_by && !one.paused ? due(one.due.resolve_by) : ['', ''];
        const slug = one.department;
        const href = slug && (config.limited === null ? config.reads : config.limited.includes(slug)) ? `/department/${slug}/${one.request_id}` : '';
        return el('li', {}, el('span', { class: 'strong nowrap' }, icon('siren'), ' ', href ? el('a', { href, class: 'mono' }, one.number) : el('span', { class: 'mono' }, one.number)),
          el('span', {}, el('span', { class: 'strong' }, called('service', one.service_code)), ' ', el('span', { class: 'where' }, [one.neighbourhood, slug && called('department', slug), ago(one.received_at)].filter(Boolean).join(' · '))),
          left ? el('span', { class: `due ${urgency}` }, icon(urgency === 'overdue' ? 'alert' : 'clock'), left) : el('span', {}));
      };
      const all = more ? [el('p', { class: 'rest' }, el('a', { href: to(state, { emergency: 'true', status: 'open' }, { always: true }) }, t('Hepsini göster', 'Show all')))] : [];
      body.replaceChildren(...(items.length ? [el('ul', { class: 'alarms' }, ...items.map(line)), ...all] : []));
    },
  };
}
