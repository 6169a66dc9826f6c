// The inbox and one request: rows that stay true, forms that survive a lost connection, ready answers.
import { clean, el, live, refreshTimes, t, toast } from './app.js';
import * as outbox from './inbox-outbox.js';

const inbox = document.querySelector('[data-inbox]');
const request = document.querySelector('[data-request]');
document.documentElement.classList.add('scripted');
const parsed = (html) => new DOMParser().parseFromString(html, 'text/html');
const person = () => document.querySelector('[data-person]').dataset.person;

// ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────────
const LONG_SIDE = 2048;

// A crew's connection is a bad one: large pictures are made smaller here already.
async function smaller(file) {
  if (!file.type.startsWith('image/') || file.size < 1_500_000) return file;
  try {
    const picture = await createImageBitmap(file, { imageOrientation: 'from-image' });
    const scale = Math.min(1, LONG_SIDE / Math.max(picture.width, picture.height));
    const canvas = el('canvas', { width: Math.round(picture.width * scale), height: Math.round(picture.height * scale) });
    canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.85));
    return blob && blob.size < file.size ? new File([blob], 'photo.jpg', { type: 'image/jpeg' }) : file;
  } catch {
    return file; // not a picture that this browser knows: the server judges it
  }
}

async function filled(form, submitter) {
  const found = [];
  for (const [name, value] of new FormData(form, submitter)) {
    if (!(value instanceof File)) found.push([name, value]);
    else if (value.size) found.push([name, await smaller(value)]);
  }
  return found;
}

// What became of it: 'lost' (no connection: kept), 'done' (with where to go), or 'page' (it says what is missing).
async function send(url, fields) {
  const body = new FormData();
  for (const [name, value] of fields) if (name !== '_csrf') body.append(name, value);
  body.append('_csrf', document.body.dataset.csrf);
  let answer;
  try {
    answer = await fetch(url, { method: 'POST', body, headers: { Accept: 'application/json, text/html' }, credentials: 'same-origin' });
  } catch {
    return { lost: true };
  }
  if (answer.status === 401) {
    toast(t('Oturumunuz bitti. Yeni sekmede giriş yapıp yeniden gönderin; yazdıklarınız saklandı.',
      'Your session ended. Sign in in another tab and send it again; what you typed is kept.'),
    'warn', { href: document.body.dataset.signIn, text: t('Giriş yap', 'Sign in') });
    return { lost: true };
  }
  if (answer.headers.get('content-type')?.includes('json')) {
    const said = await answer.json();
    return answer.ok ? { done: said } : { failed: said.detail || said.title };
  }
  return { page: await answer.text() };
}

function swap(html) {
  const main = parsed(html).getElementById('main');
  document.getElementById('main').replaceChildren(...document.importNode(main, true).childNodes);
  refreshTimes();
  const first = document.querySelector('#main [role=alert], #main .notice');
  first?.scrollIntoView({ block: 'center' });
  first?.setAttribute('tabindex', '-1');
  first?.focus();
  showOutbox();
}

document.addEventListener('submit', async (event) => {
  const form = event.target;
  if (!form.hasAttribute('data-act')) return;
  event.preventDefault();
  if (form.dataset.busy) return;
  form.dataset.busy = '1';
  event.submitter?.setAttribute('aria-busy', 'true');
  const url = form.action;
  const fields = await filled(form, event.submitter);
  const told = await send(url, fields);
  delete form.dataset.busy;
  event.submitter?.removeAttribute('aria-busy');
  if (told.lost || told.done) clean(form);
  if (told.lost) {
    await outbox.put({ key: form.elements._key.value, url, fields: fields.filter(([name]) => name !== '_csrf'), label: form.dataset.label || '', person: person(), at: Date.now() });
    form.closest('dialog')?.close();
    toast(t('Bağlantı yok: yazdıklarınız saklandı, bağlantı gelince yeniden gönderebilirsiniz.', 'No connection: what you typed is kept, to be sent again when you are back.'), 'warn');
    await showOutbox();
  } else if (told.done && form.hasAttribute('data-stay')) {
    toast(told.done.text, told.done.tone);
    await refresh();
  } else if (told.done) location.assign(told.done.go);
  else if (told.page) swap(told.page);
  else toast(told.failed, 'bad');
}, true);

async function showOutbox() {
  const box = document.getElementById('outbox');
  if (!box) return;
  const waiting = (await outbox.all()).filter((one) => one.person === person());
  box.replaceChildren(...waiting.map((one) => el('div', { 'data-waiting': one.key },
    el('span', {}, t('Gönderilemedi: ', 'Not sent: '), el('strong', {}, one.label)),
    el('span', { class: 'actions' },
      el('button', { type: 'button', class: 'button primary small', onclick: () => again(one) }, t('Yeniden gönder', 'Send again')),
      el('button', { type: 'button', class: 'button quiet small', onclick: () => outbox.drop(one.key).then(showOutbox) }, t('Sil', 'Drop'))))));
  box.hidden = waiting.length === 0;
}

async function again(one) {
  const told = await send(one.url, one.fields);
  if (told.lost) {
    toast(t('Bağlantı hâlâ yok.', 'There is still no connection.'), 'warn');
    return;
  }
  await outbox.drop(one.key);
  if (told.done) location.assign(told.done.go);
  else if (told.page) swap(told.page);
  else {
    toast(told.failed, 'bad');
    await showOutbox();
  }
}

addEventListener('online', showOutbox);
if (document.querySelector('[data-person]')) showOutbox();

// ── the list ─────────────────────────────────────────────────────────────────────────────────────────────────────────
let newest = null; // the last list that the server gave, while its new rows are not shown yet
let asking = false;
let askAgain = false;

async function fetched(url) {
  const answer = await fetch(url, { headers: { Accept: 'text/html' }, credentials: 'same-origin' });
  return answer.ok ? parsed(await answer.text()) : null;
}

async function refresh() {
  if (asking) {
    askAgain = true;
    return;
  }
  asking = true;
  try {
    const page = await fetched(location.href);
    if (page?.querySelector('[data-inbox]')) merge(page);
  } catch {
    // the bar says that the connection is lost; the next event or the way back asks again
  } finally {
    asking = false;
    if (askAgain) {
      askAgain = false;
      refresh();
    }
  }
}

function merge(page) {
  document.getElementById('tabs').replaceWith(document.importNode(page.getElementById('tabs'), true));
  const bulk = document.getElementById('bulk');
  if (bulk) bulk.elements._key.value = page.querySelector('#bulk [name=_key]').value;
  const fresh = new Map([...page.querySelectorAll('#rows tr[data-id]')].map((row) => [row.dataset.id, row]));
  const shown = [...document.querySelectorAll('#rows tr[data-id]')];
  if (!shown.length || !fresh.size) {
    show(page, shown.length ? [] : [...fresh.keys()]);
    return;
  }
  for (const row of shown) {
    const now = fresh.get(row.dataset.id);
    if (!now) leave(row);
    else if (now.dataset.seq !== row.dataset.seq || row.classList.contains('gone')) replace(row, now);
  }
  const added = [...fresh.keys()].filter((id) => !shown.some((row) => row.dataset.id === id));
  announce(page, added);
}

function leave(row) {
  row.classList.add('gone');
  for (const control of row.querySelectorAll('input, button')) control.disabled = true;
  const box = row.querySelector('input[name=id]');
  if (box) box.checked = false;
  count();
}

function replace(row, now) {
  const copy = document.importNode(now, true);
  const held = row.querySelector('input[name=id]')?.checked;
  if (held) copy.querySelector('input[name=id]').checked = true;
  const hadFocus = row.contains(document.activeElement);
  copy.classList.add('new');
  row.replaceWith(copy);
  if (hadFocus) copy.querySelector('a')?.focus();
  refreshTimes(copy);
}

function announce(page, added) {
  const news = document.getElementById('news');
  newest = added.length ? { page, added } : null;
  news.hidden = !added.length;
  if (added.length) news.querySelector('button').textContent = t(`${added.length} yeni başvuru: göster`, `${added.length} new: show`);
}

function show(page, added) {
  const checked = new Set([...document.querySelectorAll('#rows input[name=id]:checked')].map((box) => box.value.split(':')[0]));
  document.getElementById('rows').replaceWith(document.importNode(page.getElementById('rows'), true));
  for (const row of document.querySelectorAll('#rows tr[data-id]')) {
    if (added.includes(row.dataset.id)) row.classList.add('new');
    const box = row.querySelector('input[name=id]');
    if (box) box.checked = checked.has(row.dataset.id);
  }
  announce(page, []);
  refreshTimes();
  count();
}

function count() {
  const bulk = document.getElementById('bulk');
  if (!bulk) return;
  const chosen = document.querySelectorAll('#rows input[name=id]:checked').length;
  document.getElementById('picked').textContent = chosen ? t(`${chosen} seçili`, `${chosen} chosen`) : '';
  bulk.classList.toggle('some', chosen > 0);
  for (const button of bulk.querySelectorAll('button')) button.disabled = chosen === 0;
}

if (inbox) {
  count();
  live(`${inbox.dataset.inbox}/events`, { changed: (ids) => ids.length && refresh(), missed: refresh }, { onBack: refresh });
}

// ── one request ──────────────────────────────────────────────────────────────────────────────────────────────────────
async function look() {
  try {
    const page = await fetched(location.pathname);
    const now = page?.querySelector('[data-request]');
    const shown = document.querySelector('[data-request]');
    if (!shown) return;
    if (!now || Number(now.dataset.seq) > Number(shown.dataset.seq)) document.getElementById('news').hidden = false;
    else if (now.dataset.rev !== shown.dataset.rev) {
      // the words for the department alone come by another way than the step that they belong to
      shown.dataset.rev = now.dataset.rev;
      document.getElementById('history').replaceWith(document.importNode(page.getElementById('history'), true));
    }
  } catch {
    // as above: the way back asks again
  }
}

if (request) {
  live(request.dataset.events, { changed: (ids) => ids.includes(request.dataset.request) && look(), missed: look }, { onBack: look });
}

// ── small things ─────────────────────────────────────────────────────────────────────────────────────────────────────
document.addEventListener('click', (event) => {
  if (event.target.closest('[data-show-news]') && newest) {
    const { page, added } = newest;
    show(page, added);
    document.querySelector('#rows tr.new a')?.focus();
  }
  if (event.target.closest('[data-print]')) print();
  const add = event.target.closest('[data-split-add]');
  if (add) addPart(add.closest('form'));
});

document.addEventListener('change', (event) => {
  if (event.target.matches('[data-all]')) {
    for (const box of document.querySelectorAll('#rows input[name=id]:not(:disabled)')) box.checked = event.target.checked;
  }
  if (event.target.matches('[data-all], input[name=id]')) count();
  const answers = event.target.closest('[data-answers]');
  if (answers) answer(answers);
});

// A chosen answer goes into the text; what was typed before stays above it.
function answer(box) {
  const chosen = box.querySelector('select').selectedOptions[0];
  const text = box.closest('form').querySelector('textarea.public');
  const ready = chosen?.dataset[box.querySelector('[data-answer-language]').value];
  if (!ready || !text) return;
  const kept = text.dataset.ready && text.value.endsWith(text.dataset.ready) ? text.value.slice(0, -text.dataset.ready.length) : text.value && `${text.value}\n`;
  text.value = kept + ready;
  text.dataset.ready = ready;
  const outcome = box.closest('form').querySelector('[name=outcome]');
  if (outcome && chosen.dataset.outcome) outcome.value = chosen.dataset.outcome;
  text.dispatchEvent(new Event('input', { bubbles: true }));
}

function addPart(form) {
  const parts = form.querySelector('[data-split]');
  if (parts.children.length >= 10) return;
  const part = document.importNode(form.querySelector('[data-split-more]').content, true);
  for (const node of part.querySelectorAll('[id], [for]')) {
    for (const name of ['id', 'for']) if (node.hasAttribute(name)) node.setAttribute(name, node.getAttribute(name).replace(/99/, String(parts.children.length)));
  }
  parts.append(part);
  parts.lastElementChild.querySelector('select').focus();
}
