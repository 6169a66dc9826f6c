// What the text may mean: asked shortly after typing stops, and never in the way of what the operator typed.
import { ago, api, el, t } from './app.js';

const PAUSE = 70; // ms without a key: typing stopped
const AGAIN = 2500; // ms until routing is asked again when it did not answer
const form = document.getElementById('desk-form');
const fields = form.elements;
const box = document.getElementById('choices');
const empty = [...box.childNodes];
let timer, asking, latest = null, alikeFor = '';

// Ask for the text as it is now.
export function suggest(pause = PAUSE) {
  clearTimeout(timer);
  const since = performance.now();
  timer = setTimeout(() => ask(since), pause);
}

// The operator chose a service or a place: look for others like it.
export function chosen() {
  mark();
  clearTimeout(timer);
  timer = setTimeout(alike, 4 * PAUSE);
}

// Nothing is suggested any more.
export function forget() {
  clearTimeout(timer);
  asking?.abort();
  latest = null;
  alikeFor = '';
  box.replaceChildren(...empty);
  document.getElementById('emergency').replaceChildren();
  showAlike([]);
}

async function ask(since) {
  const text = fields.text.value.trim();
  asking?.abort();
  if (!text) return forget();
  asking = new AbortController();
  try {
    const found = await api('/console/suggest', { method: 'POST', body: { text, channel: fields.channel.value }, signal: asking.signal });
    if (!found) return forget();
    latest = found;
    show(found);
    box.dataset.took = Math.round(performance.now() - since);
  } catch (error) {
    if (error.name === 'AbortError') return undefined;
    latest = null;
    box.replaceChildren(el('p', { class: 'muted' }, t('Öneri şu an alınamıyor; kaydedebilirsiniz.', 'No suggestion now; you can register all the same.')));
    if (error.status !== 401) timer = setTimeout(() => ask(performance.now()), AGAIN);
    return undefined;
  }
  return alike();
}

function show(found) {
  place(fields.neighbourhood, found.neighbourhood);
  place(fields.address, found.street);
  const rows = found.choices.map((choice, index) => el('li', {}, el('button', {
    type: 'button', class: `pick${index === 0 && !found.undecided ? ' default' : ''}`, 'data-keys': `alt+${index + 1}`, 'data-name': choice.name, 'aria-pressed': 'false',
    onclick: () => pick(choice.name),
  }, el('span', { class: 'pick-name' }, choice.name), el('span', { class: 'pick-to' }, choice.department),
  el('span', { class: 'pick-share' }, choice.percent ? t(`%${choice.percent}`, `${choice.percent}%`) : '', el('span', { class: 'keys' }, el('kbd', {}, `alt+${index + 1}`))))));
  box.replaceChildren(...[
    found.refer_to && el('p', { class: 'notice info' }, el('span', { class: 'notice-title' }, `${found.refer_to.name} · ${found.refer_to.call}`)),
    ['urgent', 'high'].includes(found.priority.value) && el('p', {}, el('span', { class: `badge ${found.priority.value === 'urgent' ? 'bad' : 'warn'}` }, t('Öncelik: ', 'Priority: '), found.priority.name)),
    found.undecided && el('p', { class: 'muted' }, t('Emin değil: seçmezseniz triyaja gider.', 'Not sure: without a choice it goes to triage.')),
    el('ol', { class: 'choices-list' }, ...rows),
    !found.undecided && el('p', { class: 'muted small-text' }, t('Seçmezseniz ilk sıradakine gider.', 'Without a choice it goes to the first.')),
  ].filter(Boolean));
  script(found);
  mark();
}

function script(found) {
  const place = document.getElementById('emergency');
  const key = found.script ? found.script.title : '';
  if (place.dataset.shown === key && place.childNodes.length) return; // read out once
  place.dataset.shown = key;
  if (!found.script) return place.replaceChildren();
  const lines = found.script;
  place.replaceChildren(el('section', { class: found.emergency ? 'emergency' : 'notice warn', role: 'alert' }, el('div', {},
    el('h2', {}, lines.title),
    lines.call.length ? el('p', { class: 'call-now' }, lines.call.join(' · ')) : null,
    el('p', { class: 'script-head' }, t('Sor', 'Ask')), el('ul', { class: 'script' }, ...lines.ask.map((line) => el('li', {}, line))),
    el('p', { class: 'script-head' }, t('Söyle', 'Say')), el('blockquote', {}, ...lines.say.map((line) => el('p', {}, line))))));
}

function place(field, text) {
  const own = field.value && field.value !== field.dataset.suggested;
  if (own || (field.dataset.touched && field.dataset.suggested === undefined)) return;
  if (!text && !field.value) return;
  field.value = text || '';
  field.dataset.suggested = text || '';
  field.dataset.touched = '';
  field.classList.toggle('suggested', Boolean(text));
  field.title = text ? t('Metinden önerildi', 'Suggested by the text') : '';
}

function pick(name) {
  fields.service.value = fields.service.value === name ? '' : name;
  fields.service.dispatchEvent(new Event('input', { bubbles: true }));
}

function mark() {
  for (const row of box.querySelectorAll('.pick')) row.setAttribute('aria-pressed', String(row.dataset.name === fields.service.value));
}

async function alike() {
  const service = fields.service.value || latest?.service || '';
  const meant = { service, neighbourhood: fields.neighbourhood.value, street: fields.address.value };
  const key = JSON.stringify(meant);
  if (!service || !meant.neighbourhood || key === alikeFor) return;
  alikeFor = key;
  try {
    showAlike((await api('/console/similar', { method: 'POST', body: meant })).items);
  } catch {
    showAlike([]);
  }
}

function showAlike(items) {
  document.getElementById('alike-card').hidden = items.length === 0;
  document.getElementById('alike').replaceChildren(...items.map((one, index) => el('li', {},
    el('p', { class: 'row between' }, el('a', { class: 'request-id', href: `/console/requests/${one.request_id}`, target: '_blank', rel: 'noopener' }, one.number), el('span', { class: 'badge' }, one.status)),
    el('p', {}, one.service, ' · ', one.neighbourhood, ' ', one.street, ' · ', ago(one.received_at)),
    one.text ? el('p', { class: 'muted small-text' }, one.text) : null,
    el('button', { type: 'button', class: 'button plain small', 'data-keys': `alt+${index + 5}`, 'data-number': one.request_id, 'aria-pressed': String(fields.duplicate_of.value === one.request_id),
      onclick: () => document.dispatchEvent(new CustomEvent('desk:same', { detail: one.request_id })) },
    t('Aynı konu', 'The same'), el('span', { class: 'keys' }, el('kbd', {}, `alt+${index + 5}`))))));
}
