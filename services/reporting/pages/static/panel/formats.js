// Numbers, shares, spans and days as a reader in Samsun writes them: 1.234, %87,5, 3,5 saat, 12 Kas.
import { language, t } from '../app.js';

const locale = language === 'en' ? 'en-GB' : 'tr-TR';
const plain = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const shares = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
const form = (options) => new Intl.DateTimeFormat(locale, { timeZone: 'UTC', ...options });
const shortDay = form({ day: 'numeric', month: 'short' });
const longDay = form({ day: 'numeric', month: 'long', year: 'numeric', weekday: 'long' });
const plainDay = form({ day: 'numeric', month: 'long', year: 'numeric' });
const shortMonth = form({ month: 'short', year: 'numeric' });
const weekdays = form({ weekday: 'short' });
const longWeekdays = form({ weekday: 'long' });
const months = form({ month: 'short' });
const clockTime = new Intl.DateTimeFormat(locale, { timeZone: 'Europe/Istanbul', hour: '2-digit', minute: '2-digit' });

const noon = (day) => new Date(`${day}T12:00:00Z`);
const nothing = (value) => value === null || value === undefined;

export const number = (value) => (nothing(value) ? '–' : plain.format(value));
export const decimal = (value) => (nothing(value) ? '–' : one.format(value));
export const percent = (share) => (nothing(share) ? '–' : shares.format(share));
export const clock = (at) => clockTime.format(new Date(at));
export const day = (text) => shortDay.format(noon(text));
export const fullDay = (text) => longDay.format(noon(text));
export const dayAndYear = (text) => plainDay.format(noon(text));
export const monthName = (index) => months.format(new Date(Date.UTC(2026, index, 15)));
export const weekday = (index, long = false) => (long ? longWeekdays : weekdays).format(new Date(Date.UTC(2026, 5, 1 + index))); // 1 June 2026 is a Monday

// Hours as minutes, hours or days, whichever reads best.
export function hours(value) {
  if (nothing(value)) return '–';
  if (value < 1) return `${plain.format(Math.round(value * 60))} ${t('dk', 'min')}`;
  return value < 48 ? `${one.format(value)} ${t('saat', 'h')}` : `${one.format(value / 24)} ${t('gün', 'days')}`;
}

// A bucket of volume: as a label of an axis, and in full.
export function bucket(name, interval, full = false) {
  if (interval === 'hour') return full ? `${day(name.slice(0, 10))} ${name.slice(11)}:00` : `${name.slice(11)}:00`;
  if (interval === 'month') return shortMonth.format(noon(name));
  if (!full) return day(name);
  return interval === 'week' ? t(`${day(name)} haftası`, `Week of ${day(name)}`) : fullDay(name);
}

// From one day to another, in words.
export function days({ from, to }, now) {
  if (!from && !to) return t('bütün kayıtlar', 'all records');
  if (!to || !from) return from ? t(`${dayAndYear(from)} gününden beri`, `since ${dayAndYear(from)}`) : t(`${dayAndYear(to)} gününe kadar`, `until ${dayAndYear(to)}`);
  if (from === to) return from === now ? t(`bugün, ${dayAndYear(from)}`, `today, ${dayAndYear(from)}`) : dayAndYear(from);
  return `${from.slice(0, 4) === to.slice(0, 4) ? day(from) : dayAndYear(from)} – ${dayAndYear(to)}`;
}

// A change in words and a sign that does not hang on colour; `better` is the direction that is good: 1, -1 or 0.
export function change(now, before, better, show = null) {
  if (nothing(now) || nothing(before)) return null;
  const by = now - before;
  if (!by || (!show && !before)) return by ? null : { text: t('değişmedi', 'no change'), tone: '' };
  const text = show ? show(Math.abs(by)) : percent(Math.abs(by) / before);
  if (text === (show || percent)(0)) return { text: t('değişmedi', 'no change'), tone: '' };
  return { text: `${by > 0 ? '▲' : '▼'} ${text}`, tone: better === 0 ? '' : by > 0 === better > 0 ? 'good' : 'bad' };
}
