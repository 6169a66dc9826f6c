// The triage queue: one key sends each, the next one is there at once.
import { api, el, keys, live, openDialog, refreshTimes, t, toast } from './app.js';

const queue = document.querySelector('[data-triage]');
const sending = new Set();
let newest = null;
document.documentElement.classList.add('scripted');

const items = () => [...document.querySelectorAll('article.item')];
const current = () => items().find((item) => !item.hidden);
const link = (id) => document.querySelector(`li[data-item="${id}"]`);

function open(id, focus = true) {
  for (const item of items()) item.hidden = item.dataset.id !== id;
  for (const one of document.querySelectorAll('.queue a')) one.removeAttribute('aria-current');
  const chosen = link(id)?.querySelector('a');
  chosen?.setAttribute('aria-current', 'true');
  chosen?.scrollIntoView({ block: 'nearest' });
  if (focus) current()?.focus({ preventScroll: true });
}

function move(step) {
  const all = items();
  const at = all.indexOf(current());
  const next = all[Math.min(all.length - 1, Math.max(0, at + step))];
  if (next) open(next.dataset.id);
}

// Takes an item out of the queue; gives what puts it back.
function take(id) {
  const item = document.getElementById(`item-${id}`);
  const entry = link(id);
  const all = items();
  const at = all.indexOf(item);
  const wasOpen = item === current();
  const follower = all[at + 1] || all[at - 1];
  const back = { item, entry, before: entry.nextElementSibling, beforeItem: item.nextElementSibling };
  item.remove();
  entry.remove();
  if (wasOpen && follower) open(follower.dataset.id);
  left(-1);
  return () => {
    back.before?.isConnected ? back.before.before(back.entry) : document.querySelector('.queue').append(back.entry);
    back.beforeItem?.isConnected ? back.beforeItem.before(back.item) : document.querySelector('.desk').append(back.item);
    left(1);
    open(id);
  };
}

function left(change) {
  const node = document.getElementById('left');
  node.textContent = String(Math.max(0, Number(node.textContent.replace(/\D/g, '')) + change));
  if (!items().length) document.querySelector('.desk')?.replaceChildren(el('p', { class: 'empty' }, t('Sıra boş.', 'The queue is empty.')));
}

async function send(item, service, to) {
  const form = item.querySelector('form[data-send]');
  const id = item.dataset.id;
  const body = new FormData(form);
  body.set('service_code', service);
  body.set('to', to);
  sending.add(id);
  const putBack = take(id);
  try {
    const told = await api(form.action, { method: 'POST', body });
    toast(told.text, told.tone);
    if (told.result === 'away' || told.result === 'invalid') putBack();
  } catch (error) {
    toast(error.message, 'bad');
    putBack();
  } finally {
    sending.delete(id);
  }
}

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (!form.hasAttribute('data-send')) return;
  event.preventDefault();
  send(form.closest('article'), event.submitter.value, event.submitter.dataset.to);
}, true);

// ── any service ──────────────────────────────────────────────────────────────────────────────────────────────────────
const fold = (text) => text.toLocaleLowerCase('tr').normalize('NFD').replace(/\p{M}/gu, '').replace(/ı/g, 'i');
const find = document.getElementById('find');
const field = document.getElementById('find-text');
const options = [...document.querySelectorAll('#find-list button')].map((button) => [button, fold(button.dataset.words)]);

function narrow() {
  const wanted = fold(field.value).split(/\s+/);
  for (const [button, words] of options) button.parentElement.hidden = !wanted.every((word) => words.includes(word));
}

function pick(button) {
  find.close();
  if (current()) send(current(), button.dataset.service, button.dataset.to);
}

field?.addEventListener('input', narrow);
field?.addEventListener('keydown', (event) => {
  const first = options.find(([button]) => !button.parentElement.hidden)?.[0];
  if (event.key === 'Enter' && first) {
    event.preventDefault();
    pick(first);
  }
  if (event.key === 'ArrowDown') {
    event.preventDefault();
    first?.focus();
  }
});
find?.addEventListener('keydown', (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.target === field) return;
  event.preventDefault();
  const shown = options.map(([button]) => button).filter((button) => !button.parentElement.hidden);
  (shown[shown.indexOf(event.target) + step] || field).focus();
});

document.addEventListener('click', (event) => {
  const chosen = event.target.closest('#find-list button');
  if (chosen) pick(chosen);
  if (event.target.closest('[data-find]')) {
    field.value = '';
    narrow();
    openDialog('find');
  }
  const entry = event.target.closest('li[data-item] a');
  if (entry) {
    event.preventDefault();
    open(entry.closest('li').dataset.item);
  }
  if (event.target.closest('[data-show-news]') && newest) add(newest);
});

keys({
  j: [() => move(1), t('Sonraki', 'Next')],
  k: [() => move(-1), t('Önceki', 'Previous')],
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
});

// ── what others do meanwhile ─────────────────────────────────────────────────────────────────────────────────────────
async function refresh() {
  let page;
  try {
    const answer = await fetch('/triage', { headers: { Accept: 'text/html' }, credentials: 'same-origin' });
    if (!answer.ok) return;
    page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  } catch {
    return; // the bar says that the connection is lost; the way back asks again
  }
  const fresh = new Set([...page.querySelectorAll('article.item')].map((item) => item.dataset.id));
  for (const item of items()) {
    if (fresh.has(item.dataset.id)) continue;
    const wasOpen = item === current();
    take(item.dataset.id);
    if (wasOpen) fate(item.dataset.id);
  }
  const known = new Set(items().map((item) => item.dataset.id));
  const added = [...fresh].filter((id) => !known.has(id) && !sending.has(id));
  const news = document.getElementById('news');
  newest = added.length ? { page, added } : null;
  news.hidden = !added.length;
  if (!added.length) return;
  if (!known.size) location.reload();
  else news.querySelector('button').textContent = t(`${added.length} yeni başvuru: göster`, `${added.length} new: show`);
}

async function fate(id) {
  try {
    toast((await api(`/triage/${id}`)).text, 'info');
  } catch (error) {
    toast(error.message, 'warn');
  }
}

function add({ page, added }) {
  for (const id of added) {
    const entry = document.importNode(page.querySelector(`li[data-item="${id}"]`), true);
    const item = document.importNode(page.getElementById(`item-${id}`), true);
    item.hidden = true;
    document.querySelector('.queue').append(entry);
    document.querySelector('.desk').append(item);
    left(1);
  }
  newest = null;
  document.getElementById('news').hidden = true;
  refreshTimes();
}

if (queue) {
  live(queue.dataset.events, { changed: (ids) => ids.length && refresh(), missed: refresh }, { onBack: refresh });
  current()?.focus({ preventScroll: true });
}
