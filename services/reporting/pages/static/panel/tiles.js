// The tiles at the head of the page, as the stream tells them.
import { el, t } from '../app.js';
import * as f from './formats.js';

const versus = t('önceki döneme göre', 'against the period before');
const UNDER = 20; // s behind that need no second thought

export function show(root, data, to, state) {
  const { today, span, before, now } = data;
  const day = { from: data.day, to: data.day };
  const always = { always: true };
  const change = (name, better, how) => (before ? f.change(span[name], before[name], better, how) : null);
  set(root, 'today', f.number(today.received), f.change(today.received, today.yesterday, 0, f.number), t(`dün bu saatte ${f.number(today.yesterday)}`, `${f.number(today.yesterday)} yesterday by now`), to(state, day));
  const ofToday = data.days.from === data.day && data.days.to === data.day; // a day that is not over is compared with the same hours
  set(root, 'received', f.number(span.received), ofToday ? null : change('received', 0), before && !ofToday ? versus : t(`${f.number(span.closed)} tanesi kapandı`, `${f.number(span.closed)} of them closed`), to(state, {}));
  set(root, 'open', f.number(now.open), f.change(now.open, now.open_before, -1, f.number), now.open_before === null ? t(`${f.number(now.paused)} tanesinin süresi duruyor`, `the clock of ${f.number(now.paused)} stands still`) : t(`dönem başında ${f.number(now.open_before)}`, `${f.number(now.open_before)} when the period began`), to(state, { status: 'open' }, always));
  set(root, 'overdue', f.number(now.overdue), null, now.open ? t(`açıkların ${f.percent(now.overdue / now.open)} kadarı`, `${f.percent(now.overdue / now.open)} of what is open`) : '', to(state, { overdue: 'true' }, always));
  set(root, 'on_time', f.percent(span.on_time_share), change('on_time_share', 1, (by) => t(`${f.decimal(by * 100)} puan`, `${f.decimal(by * 100)} points`)), before ? versus : t(`${f.number(span.late)} geç kapandı`, `${f.number(span.late)} closed late`), to(state, { on_time: 'false' }));
  set(root, 'respond', f.hours(span.median_hours_to_respond), change('median_hours_to_respond', -1), before ? versus : t('başvurudan ilk yanıta', 'from request to first response'), '');
  set(root, 'rating', span.rating_average === null ? '–' : [f.decimal(span.rating_average), el('small', {}, ' / 5')], change('rating_average', 1, f.decimal), t(`${f.number(span.ratings)} puan`, `${f.number(span.ratings)} ratings`), '');
  set(root, 'emergency', f.number(now.emergencies_open), null, now.emergencies_open ? t('hemen bakılmalı', 'look at them now') : t('şu an yok', 'none at the moment'), to(state, { emergency: 'true', status: 'open' }, always));
  root.querySelector('[data-tile="emergency"]').classList.toggle('alarm', now.emergencies_open > 0);
  root.setAttribute('aria-busy', 'false');
}

function set(root, key, value, change, note, href) {
  const tile = root.querySelector(`[data-tile="${key}"]`);
  const shown = tile.querySelector('[data-value]');
  const was = shown.dataset.shown;
  const parts = [value].flat();
  const text = parts.map((part) => part.textContent ?? part).join('');
  shown.replaceChildren(...parts);
  shown.dataset.shown = text;
  if (href) shown.setAttribute('href', href);
  else shown.removeAttribute('href');
  if (was !== undefined && was !== text) {
    tile.classList.remove('changed');
    void tile.offsetWidth; // the animation begins anew
    tile.classList.add('changed');
  }
  tile.querySelector('[data-note]').replaceChildren(...(change ? [el('span', { class: `change ${change.tone}` }, change.text), note === versus ? ' ' : ' · '] : []), note);
}

// "14:03 itibarıyla, 2 sn geride".
export function age(node, { as_of: at, lag_seconds: lag }) {
  const seconds = Math.round(lag ?? 0);
  const behind = seconds < 120 ? t(`${seconds} sn geride`, `${seconds} s behind`) : t(`${f.number(seconds / 60)} dk geride`, `${f.number(seconds / 60)} min behind`);
  node.querySelector('[data-text]').textContent = at ? t(`Saat ${f.clock(at)} itibarıyla · ${behind}`, `As of ${f.clock(at)} · ${behind}`) : t('Sayıların hangi saate ait olduğu henüz bilinmiyor', 'It is not known yet when these figures are from');
  node.classList.toggle('fresh', Boolean(at) && seconds <= UNDER);
  node.classList.toggle('old', !at || seconds > 300);
}
