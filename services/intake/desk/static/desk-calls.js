// Calls: who rings, who is on the line, and what they asked for before.
import { ago, api, el, icon, keys, live, t, toast } from './app.js';

const area = document.getElementById('calls');
const bar = document.getElementById('desk-call');
const card = document.getElementById('caller-card');
const known = new Map(); // call_id -> the call as last told
let current = null; // the call that the form is bound to
let who = {}; // its caller, as fields of the form
let desk; // { bind, busy }

const newer = (call) => !known.has(call.call_id) || known.get(call.call_id).rev < call.rev;
const busyWith = () => current && known.get(current)?.state === 'answered';

const spoken = (phone) => phone.replace(/^\+90(\d{3})(\d{3})(\d\d)(\d\d)$/, '0$1 $2 $3 $4');
const serviceName = (code) => document.querySelector(`#services option[data-code="${code}"]`)?.value || '';

async function look(call_id) {
  try {
    return await api(`/console/calls/${call_id}`);
  } catch {
    return null;
  }
}

function rings() {
  return [...known.values()].filter((call) => call.state === 'ringing').sort((a, b) => (a.started_at < b.started_at ? -1 : 1));
}

function draw() {
  const shown = new Set(rings().map((call) => call.call_id));
  for (const node of [...area.children]) if (!shown.has(node.dataset.call)) node.remove();
  for (const call of rings()) {
    if (area.querySelector(`[data-call="${call.call_id}"]`)) continue;
    const name = el('p', {}, call.withheld ? t('Gizli numara arıyor', 'A withheld number is calling') : t('Arayan var', 'Somebody is calling'));
    const more = el('p', { class: 'muted' });
    const button = el('button', { type: 'button', class: 'button primary', 'aria-keyshortcuts': 'Alt+A', onclick: () => answer(call.call_id) },
      icon('phone'), t('Yanıtla', 'Answer'), el('span', { class: 'keys' }, el('kbd', {}, 'alt+a')));
    area.append(el('section', { class: 'ring', 'data-call': call.call_id, 'aria-label': t('Gelen çağrı', 'Incoming call') }, icon('phone'), el('div', { class: 'ring-who' }, name, more), button));
    if (!busyWith() && !desk.busy()) button.focus(); // Enter answers; whoever types is left alone
    look(call.call_id).then((whole) => {
      if (!whole) return;
      const first = whole.contacts[0];
      if (first) name.textContent = [first.name, first.phone && spoken(first.phone)].filter(Boolean).join(' · ') || name.textContent;
      const open = whole.requests.filter((row) => row.open).length;
      more.textContent = [open && t(`${open} açık başvuru`, `${open} open requests`), whole.missed_before && t(`${whole.missed_before} kez ulaşamamış`, `${whole.missed_before} missed calls`)].filter(Boolean).join(' · ');
    });
  }
}

async function answer(call_id) {
  if (busyWith()) {
    toast(t('Önce süren görüşmeyi bitirin.', 'End the present call first.'), 'warn');
    return;
  }
  try {
    const call = await api(`/console/calls/${call_id}/answer`, { method: 'POST' });
    known.set(call_id, call);
    await take(call);
  } catch (error) {
    toast(error.status === 409 ? t('Bu çağrıyı başkası aldı ya da kapandı.', 'Somebody else took it, or it is over.') : error.message, 'warn');
    known.delete(call_id);
  }
  draw();
}

async function take(call) {
  if (current === call.call_id) return;
  current = call.call_id;
  const whole = (await look(call.call_id)) || { call, contacts: [], requests: [], draft: null, missed_before: 0 };
  const contact = whole.contacts.find((one) => one.of_this_call) || {};
  const named = whole.contacts.find((one) => one.name) || {};
  who = { name: contact.name || named.name || '', phone: contact.phone || '', language: contact.language || 'tr' };
  person(whole);
  line();
  await desk.bind(call, whole);
}

function person(whole) {
  card.hidden = false;
  document.getElementById('caller').replaceChildren(...[
    el('p', { class: 'strong' }, [who.name, spoken(who.phone)].filter(Boolean).join(' · ') || (whole.call.withheld ? t('Numara gizli', 'Number withheld') : t('Bilinmiyor', 'Unknown'))),
    whole.contacts_known === false && el('p', { class: 'muted' }, t('Kişi bilgisi şu an alınamıyor.', 'Who it is cannot be told now.')),
    whole.missed_before > 0 && el('p', {}, t(`Son 7 günde ${whole.missed_before} kez ulaşamadı.`, `Missed ${whole.missed_before} times in 7 days.`)),
    whole.requests.length ? el('ol', { class: 'their' }, ...whole.requests.slice(0, 8).map((row) => el('li', {},
      el('a', { class: 'request-id', href: `/console/requests/${row.request_id}`, target: '_blank', rel: 'noopener' }, row.request_id.replace(/(.{4})(?=.)/g, '$1-')),
      ' ', el('span', { class: 'muted' }, `${row.open ? t('açık', 'open') : t('kapalı', 'closed')} · ${serviceName(row.service_code)} · ${row.at ? ago(row.at) : ''}`)))) : el('p', { class: 'muted' }, t('Önceki başvurusu yok.', 'No earlier request.')),
  ].filter(Boolean));
}

function line() {
  const call = known.get(current);
  bar.hidden = !call;
  if (!call) return;
  const over = call.state !== 'answered';
  bar.classList.toggle('over', over);
  bar.replaceChildren(
    el('span', {}, over ? t('Çağrı bitti; form duruyor.', 'The call is over; the form stays.') : t('Görüşme sürüyor', 'On the line')),
    over ? el('button', { type: 'button', class: 'button quiet small', onclick: leave }, t('Çağrıdan ayır', 'Leave the call'))
      : el('button', { type: 'button', class: 'button plain small', 'data-keys': 'alt+g', onclick: hangUp }, t('Görüşmeyi bitir', 'End the call'), el('span', { class: 'keys' }, el('kbd', {}, 'alt+g'))));
}

async function hangUp() {
  try {
    known.set(current, await api(`/console/calls/${current}/end`, { method: 'POST' }));
  } catch (error) {
    toast(error.message, 'warn');
  }
  line();
}

function leave() {
  current = null;
  who = {};
  card.hidden = true;
  line();
  bar.hidden = true;
  desk.bind(null);
}

function told(call) {
  if (!newer(call)) return false;
  known.set(call.call_id, call);
  return true;
}

async function seat() {
  const box = document.getElementById('seat');
  const say = (found) => { document.getElementById('seat-now').textContent = found.extension || t('seçilmedi, hepsi çalar', 'none: all of them ring'); };
  try {
    say(await api('/console/extension'));
    box.hidden = false;
  } catch {
    return;
  }
  document.getElementById('seat-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const extension = event.target.elements.extension.value.trim() || null;
    try {
      say(await api('/console/extension', { method: 'PUT', body: { extension } }));
      box.open = false;
    } catch (error) {
      toast(error.problem?.errors?.[0]?.message || error.message, 'bad');
    }
  });
}

export const calls = {
  // The caller of the present call, as fields of the form; nothing once it is over and registered.
  caller() {
    if (current && !busyWith()) {
      current = null;
      who = {};
      card.hidden = true;
      bar.hidden = true;
      document.getElementById('desk-form').elements.call_id.value = '';
    }
    return { ...who };
  },
  start(hooks) {
    desk = hooks;
    keys({ 'alt+a': [() => (rings()[0] ? answer(rings()[0].call_id) : undefined), t('Çağrıyı yanıtla', 'Answer the call')] });
    seat();
    live('/console/calls/stream', {
      ringing: (call) => { if (told(call)) draw(); },
      answered: (call) => {
        if (!told(call)) return;
        draw();
        if (!busyWith() || current === call.call_id) take(call).then(line);
      },
      taken: ({ call_id }) => { known.delete(call_id); draw(); },
      gone: ({ call_id }) => { known.delete(call_id); draw(); },
      ended: (call) => { if (told(call)) { draw(); line(); } },
      missed: (call) => { if (told(call)) { draw(); line(); } },
    });
  },
};
