// The dashboard: its address says what it shows, cards ask when they are seen, tiles come by themselves.
import { live, t } from './app.js';
import { Card } from './panel/card.js';
import { naming, specs } from './panel/cards.js';
import { forget } from './panel/data.js';
import * as f from './panel/formats.js';
import { interval, narrowed, parameters, read, span, today, USUAL, write } from './panel/state.js';
import * as tiles from './panel/tiles.js';
import { wall } from './panel/wall.js';

const FRESH = 10_000; // ms at least between two rounds of questions
const root = document.getElementById('panel');
const form = document.getElementById('filters');
const config = JSON.parse(root.dataset.config);
const { to } = naming(config);
const cards = new Map();
let state = read();
let round = 0; // what a card shows is of this round, or has to be asked anew
let stop = () => {};
let asked = 0;
let later;

const rounds = new WeakMap();
function look(card) {
  if (rounds.get(card) === round) return;
  rounds.set(card, round);
  card.load(state);
}

// Everything that is seen is asked anew; the rest when it comes into sight.
function renew() {
  clearTimeout(later);
  asked = Date.now();
  round += 1;
  forget();
  for (const card of cards.values()) if (card.seen) look(card);
}

function soon() {
  clearTimeout(later);
  later = setTimeout(renew, Math.max(0, asked + FRESH - Date.now()));
}

function listen() {
  stop();
  const day = today();
  const days = span(state);
  const query = parameters(state);
  if (days.from) query.set('compare', 'previous');
  let first = true;
  stop = live(`/v1/stream?${query}`, {
    tiles: (data) => {
      if (day !== today()) return turned();
      tiles.show(document.getElementById('tiles'), { ...data, day, days }, to, state);
      tiles.age(document.getElementById('as-of'), data);
      if (!first) soon();
      first = false;
    },
    beat: (data) => (day === today() ? tiles.age(document.getElementById('as-of'), data) : turned()),
  }, { onBack: soon });
}

// A new day: the period moved.
function turned() {
  listen();
  say();
  renew();
}

// The form says what the address says.
function say() {
  const days = span(state);
  document.getElementById('span-words').textContent = f.days(days, today());
  for (const button of form.querySelectorAll('[data-period]')) button.setAttribute('aria-pressed', String(button.dataset.period === state.period));
  form.elements.from.value = days.from;
  form.elements.to.value = days.to;
  form.elements.compare.checked = state.compare;
  for (const select of form.querySelectorAll('select')) {
    const value = state.filters[select.name] || '';
    if (![...select.options].some((option) => option.value === value)) select.add(new Option(value.split(',').map((one) => config.names[select.name]?.[one] || one).join(', '), value));
    select.value = value;
  }
  const count = narrowed(state) + (state.compare ? 1 : 0);
  const shown = document.getElementById('filter-count');
  shown.textContent = count;
  shown.hidden = !count;
  document.getElementById('clear').hidden = !count && state.period === USUAL;
  for (const button of document.querySelectorAll('[data-interval]')) button.setAttribute('aria-pressed', String(button.dataset.interval === interval(state)));
}

function go(change) {
  state = { ...state, ...change };
  history.pushState(null, '', write(state));
  say();
  listen();
  renew();
}

form.addEventListener('change', ({ target }) => {
  if (target.name === 'compare') return go({ compare: target.checked });
  if (target.type !== 'date') return go({ filters: { ...state.filters, [target.name]: target.value || undefined } });
  const days = { from: form.elements.from.value, to: form.elements.to.value };
  if (days.from && days.to && days.from > days.to) days[target.name === 'from' ? 'to' : 'from'] = days[target.name];
  return go(days.from || days.to ? { period: '', days } : { period: 'all', days });
});
form.addEventListener('submit', (event) => event.preventDefault());
form.addEventListener('click', ({ target }) => {
  const period = target.closest('[data-period]')?.dataset.period;
  if (period) go({ period, days: { from: '', to: '' }, interval: '' });
});
document.getElementById('more-filters').addEventListener('click', ({ currentTarget: button }) => {
  const fields = document.getElementById('filter-fields');
  fields.hidden = !fields.hidden;
  button.setAttribute('aria-expanded', String(!fields.hidden));
});
document.getElementById('clear').addEventListener('click', (event) => {
  event.preventDefault();
  go({ filters: {}, period: USUAL, days: { from: '', to: '' }, compare: false, interval: '' });
});
document.addEventListener('click', ({ target }) => {
  const width = target.closest('[data-interval]')?.dataset.interval;
  if (width) go({ interval: width });
  if (target.closest('[data-print]')) print();
});
addEventListener('popstate', () => {
  state = read();
  say();
  listen();
  renew();
});

for (const node of document.querySelectorAll('[data-card]')) {
  const spec = specs(config)[node.dataset.card];
  cards.set(node.dataset.card, new Card(node, spec, look));
}
round = 1;
asked = Date.now();
say();
listen();
if (state.wall) look(cards.get('emergencies')); // whether it has a turn
if (state.wall) wall(root, (keys) => { for (const key of keys) look(cards.get(key)); });
document.title = state.wall ? t('Duvar ekranı · İLKİM', 'Wall screen · İLKİM') : document.title;
