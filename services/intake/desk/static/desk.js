// The desk: suggestions while typing, the draft on the server, registering without leaving the page.
import { api, el, help, icon, keys, t, toast } from './app.js';
import { calls } from './desk-calls.js';
import { chosen, forget, suggest } from './desk-suggest.js';

const form = document.getElementById('desk-form');
const done = document.getElementById('registered');
const kept = document.getElementById('kept');
const same = document.getElementById('same');
const fields = form.elements;
let keeping; // the timer of the draft
let sending = false;

// --- what the form holds -------------------------------------------------------------------------------------------

const draftName = () => fields.call_id.value || 'desk';

function typed() {
  const found = { photos: [] };
  for (const [name, value] of new FormData(form)) {
    if (name === '_csrf' || typeof value !== 'string' || !value) continue;
    if (name === 'photos') found.photos.push(value);
    else found[name] = value;
  }
  return found;
}

function empty() {
  return ['text', 'name', 'phone', 'address', 'neighbourhood', 'answer'].every((name) => !fields[name].value.trim());
}

function fill(values) {
  form.querySelectorAll('input:not([type=hidden], [type=file]), textarea, select').forEach((field) => {
    if (field.type === 'checkbox') field.checked = Boolean(values[field.name]);
    else if (field.tagName === 'SELECT' && !values[field.name]) field.selectedIndex = 0;
    else field.value = values[field.name] || '';
    delete field.dataset.suggested;
    field.classList.remove('suggested');
    field.dataset.touched = values[field.name] ? '1' : '';
  });
  for (const name of ['key', 'callback_id', 'duplicate_of']) fields[name].value = values[name] || '';
  if (!fields.key.value) fields.key.value = newKey();
  document.getElementById('photos').replaceChildren();
  for (const id of [].concat(values.photos || [])) addPhoto(id);
  for (const box of form.querySelectorAll('details.more')) {
    box.open = [...box.querySelectorAll('input, textarea, select')].some((f) => f.type !== 'file' && f.value && f.value !== 'tr');
  }
  wrong([]);
  showSame();
  onChannel();
  unnamed();
  forget();
  if (fields.text.value) suggest(0);
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `desk-${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

// --- the draft -----------------------------------------------------------------------------------------------------

async function keep() {
  clearTimeout(keeping);
  if (empty() || sending) return;
  try {
    await api(`/console/drafts/${draftName()}`, { method: 'PUT', body: typed() });
    kept.textContent = t('Taslak saklandı', 'Draft kept');
  } catch {
    kept.textContent = t('Taslak saklanamadı', 'Draft not kept');
  }
}

function keepSoon() {
  kept.textContent = '';
  clearTimeout(keeping);
  keeping = setTimeout(keep, 2000);
}

addEventListener('pagehide', () => {
  if (empty() || sending) return;
  fetch(`/console/drafts/${draftName()}`, {
    method: 'PUT', keepalive: true, body: JSON.stringify(typed()),
    headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': document.body.dataset.csrf },
  });
});

async function restore() {
  try {
    const draft = await api('/console/drafts/desk');
    if (!empty() || fields.call_id.value) return;
    fill(draft);
    kept.textContent = t('Taslağınız geri geldi', 'Your draft is back');
  } catch (error) {
    if (error.status !== 404) kept.textContent = t('Taslak alınamadı', 'The draft cannot be had');
  }
}

// --- small things of the form --------------------------------------------------------------------------------------

function onChannel() {
  const paper = document.getElementById('paper');
  paper.hidden = !paper.dataset.channels.split(' ').includes(fields.channel.value);
}

function showSame() {
  const number = fields.duplicate_of.value;
  same.hidden = !number;
  same.replaceChildren();
  if (!number) return;
  same.append(icon('link'), t(`${number} ile aynı konu: birim bağlayınca sonucu bu vatandaş da öğrenir.`,
    `The same as ${number}: once the department ties them this citizen hears the outcome too.`),
  el('button', { type: 'button', class: 'button quiet small', onclick: () => choose('') }, t('Vazgeç', 'Undo')));
}

function choose(number) {
  fields.duplicate_of.value = fields.duplicate_of.value === number ? '' : number;
  for (const row of document.querySelectorAll('#alike [data-number]')) row.setAttribute('aria-pressed', row.dataset.number === fields.duplicate_of.value);
  showSame();
  keepSoon();
}

function unnamed() {
  const off = fields.unnamed.checked;
  for (const name of ['name', 'phone', 'email', 'whatsapp_id']) fields[name].readOnly = off;
}

// A ready answer goes into the text, where its gaps can be filled in; what was typed there stays.
function ready() {
  const options = [...document.querySelectorAll('#ready option')];
  const found = options.find((one) => one.value === fields.answer_template.value);
  const own = fields.answer.value && !options.some((one) => [one.dataset.tr, one.dataset.en].includes(fields.answer.value));
  if (!found || own) return;
  fields.answer.value = fields.language.value === 'en' ? found.dataset.en : found.dataset.tr;
  fields.answer.focus();
  const gap = fields.answer.value.match(/\[[^\]\n]+\]/);
  if (gap) fields.answer.setSelectionRange(gap.index, gap.index + gap[0].length);
}

function addPhoto(id, file) {
  const source = file ? URL.createObjectURL(file) : `/v1/attachments/${id}?size=thumb`;
  document.getElementById('photos').append(el('li', {},
    el('input', { type: 'hidden', name: 'photos', value: id }),
    el('img', { src: source, alt: t('Eklenen fotoğraf', 'Photo added'), width: 160, height: 120 }),
    el('button', { type: 'button', class: 'button quiet small', onclick: (event) => event.target.closest('li').remove() }, t('Çıkar', 'Remove'))));
}

async function upload(input) {
  for (const file of [...input.files].slice(0, Number(form.dataset.mostPhotos))) {
    const body = new FormData();
    body.append('file', file);
    try {
      const taken = await api('/v1/attachments', { method: 'POST', body });
      addPhoto(taken.attachment_id, file);
      if (taken.position && !fields.position.value) fields.position.value = `${taken.position.lat}, ${taken.position.lon}`;
    } catch (error) {
      toast(error.problem?.errors?.[0]?.message || error.message, 'bad');
    }
  }
  input.value = '';
  keepSoon();
}

function wrong(errors) {
  for (const note of form.querySelectorAll('.error[data-js]')) note.remove();
  for (const field of form.querySelectorAll('.field.wrong')) field.classList.remove('wrong');
  for (const { field, message } of errors) {
    const input = document.getElementById(`f-${field}`);
    const box = input?.closest('.field');
    if (!box) continue;
    input.closest('details')?.setAttribute('open', '');
    box.classList.add('wrong');
    input.setAttribute('aria-invalid', 'true');
    box.insertBefore(el('p', { class: 'error', 'data-js': '' }, message), input);
  }
  if (errors.length) (document.getElementById(`f-${errors[0].field}`) || fields.text).focus();
}

// --- registering ---------------------------------------------------------------------------------------------------

async function register() {
  if (sending) return;
  sending = true;
  clearTimeout(keeping);
  document.getElementById('register').setAttribute('aria-busy', 'true');
  const had = draftName();
  try {
    const taken = await api('/console', { method: 'POST', body: new FormData(form) });
    if (had === 'desk') api('/console/drafts/desk', { method: 'DELETE' }).catch(() => {});
    show(taken);
  } catch (error) {
    wrong(error.problem?.errors || []);
    if (error.status !== 401) toast(error.message, 'bad');
  } finally {
    sending = false;
    document.getElementById('register').removeAttribute('aria-busy');
  }
}

function show(taken) {
  const department = el('p', { class: 'say-next', id: 'sent-to', role: 'status' }, t('Birime iletiliyor…', 'On its way to the department…'));
  const next = el('button', { type: 'button', class: 'button primary', 'data-keys': 'alt+q', onclick: again },
    icon('plus'), t('Yeni kayıt', 'New request'), el('kbd', {}, 'Enter'));
  done.replaceChildren(
    el('p', { class: 'muted' }, t('Kaydedildi. Numarayı okuyun:', 'Registered. Read the number out:')),
    el('p', { class: 'number', id: 'number' }, taken.number),
    el('ol', { class: 'spelled' }, ...taken.spelled.map((line) => el('li', {}, line))),
    department,
    el('div', { class: 'actions' }, next,
      el('a', { class: 'button plain', href: taken.receipt, target: '_blank', rel: 'noopener', 'data-keys': 'alt+r' }, icon('print'), t('Fiş yazdır', 'Print receipt'), el('kbd', {}, 'alt+r')),
      el('a', { class: 'button quiet', href: taken.page, target: '_blank', rel: 'noopener' }, t('Durumu', 'How it stands'))));
  form.hidden = true;
  done.hidden = false;
  done.dataset.number = taken.request_id;
  next.focus();
  fill({ channel: 'phone', key: taken.key }); // what is registered is no draft any more
  kept.textContent = '';
  if (taken.callback_closed === false) toast(t('Geri arama işaretlenemedi: listeden kapatın.', 'The call-back could not be marked: close it on the list.'), 'warn');
  api(`/console/requests/${taken.request_id}/standing`).then((known) => {
    department.textContent = known.next;
    department.classList.toggle('error', known.emergency);
  }, () => { department.textContent = t('Kayıtlı; birimi birazdan belli olur.', 'Registered; its department will be known shortly.'); });
}

function again() {
  done.hidden = true;
  form.hidden = false;
  fill({ ...calls.caller(), channel: 'phone', key: fields.key.value });
  fields.text.focus();
  if (!fields.call_id.value) restore();
}

// --- calls ---------------------------------------------------------------------------------------------------------

// The form goes over to a call (null: to none). What was typed before stays as a draft.
async function bind(call, whole) {
  await keep();
  fields.call_id.value = call ? call.call_id : '';
  done.hidden = true;
  form.hidden = false;
  if (!call) fill({ channel: 'phone' });
  else fill(whole.draft || { ...calls.caller(), channel: 'phone', call_id: call.call_id });
  fields.text.focus();
  if (!call) restore();
}

// --- begin ---------------------------------------------------------------------------------------------------------

document.getElementById('ask').hidden = true;
document.getElementById('clear').hidden = false;
fields.upload.removeAttribute('name');
document.getElementById('f-upload').addEventListener('change', (event) => upload(event.target));
document.getElementById('clear').addEventListener('click', () => {
  api(`/console/drafts/${draftName()}`, { method: 'DELETE' }).catch(() => {});
  fill({ channel: 'phone' });
  kept.textContent = '';
  fields.text.focus();
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  register();
});
form.addEventListener('input', (event) => {
  const field = event.target;
  delete field.dataset.suggested;
  field.classList.remove('suggested');
  field.dataset.touched = '1';
  if (field.name === 'channel') onChannel();
  if (field.name === 'unnamed') unnamed();
  if (field.name === 'answer_template') ready();
  if (field.name === 'text') suggest();
  else if (['neighbourhood', 'address', 'service'].includes(field.name)) chosen();
  keepSoon();
});
for (const summary of form.querySelectorAll('details.more > summary')) {
  summary.addEventListener('click', () => setTimeout(() => { // the click opens it afterwards
    if (summary.parentElement.open) summary.parentElement.querySelector('input:not([type=hidden]), textarea, select')?.focus();
  }));
}
keys({ F1: [help, t('Kısayollar', 'Shortcuts')] });
onChannel();
unnamed();
document.addEventListener('desk:same', (event) => choose(event.detail));
calls.start({ bind, busy: () => !empty() });
if (empty() && !fields.callback_id.value) restore();
else if (fields.text.value) suggest(0);
