// What the page shows stands in its address: the period, the filter, what it is compared with.
const FILTERS = ['department', 'service', 'neighbourhood', 'channel', 'kind'];
const CARRIED = [...FILTERS, 'status', 'team', 'crisis', 'overdue', 'paused', 'escalated', 'emergency', 'on_time', 'legal_due_before', 'q'];
const PERIODS = ['today', '7d', '30d', '90d', 'year', 'all'];
export const USUAL = '30d';

const wallClock = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Istanbul', year: 'numeric', month: '2-digit', day: '2-digit' });

export const today = () => wallClock.format(new Date());

export function daysBefore(day, count) {
  const found = new Date(`${day}T12:00:00Z`);
  found.setUTCDate(found.getUTCDate() - count);
  return found.toISOString().slice(0, 10);
}

export function read(search = location.search) {
  const query = new URLSearchParams(search);
  const filters = {};
  for (const name of CARRIED) if (query.get(name)) filters[name] = query.getAll(name).join(',');
  const days = { from: query.get('from') || '', to: query.get('to') || '' };
  const named = PERIODS.includes(query.get('period')) ? query.get('period') : USUAL;
  return {
    filters,
    period: days.from || days.to ? '' : named,
    days,
    compare: query.get('compare') === 'previous',
    interval: ['hour', 'day', 'week', 'month'].includes(query.get('interval')) ? query.get('interval') : '',
    wall: query.get('wall') === '1',
  };
}

export function write(state) {
  const query = new URLSearchParams();
  if (state.period && state.period !== USUAL) query.set('period', state.period);
  if (!state.period) for (const name of ['from', 'to']) if (state.days[name]) query.set(name, state.days[name]);
  for (const [name, value] of Object.entries(state.filters)) if (value) query.set(name, value);
  if (state.compare) query.set('compare', 'previous');
  if (state.interval) query.set('interval', state.interval);
  if (state.wall) query.set('wall', '1');
  return query.size ? `${location.pathname}?${query}` : location.pathname;
}

// The first and the last local day; empty: without end on that side.
export function span(state, now = today()) {
  switch (state.period) {
    case 'today': return { from: now, to: now };
    case '7d': return { from: daysBefore(now, 6), to: now };
    case '30d': return { from: daysBefore(now, 29), to: now };
    case '90d': return { from: daysBefore(now, 89), to: now };
    case 'year': return { from: `${now.slice(0, 4)}-01-01`, to: now };
    case 'all': return { from: '', to: '' };
    default: return state.days;
  }
}

const lengthOf = ({ from, to }) => (from ? (Date.parse(to || today()) - Date.parse(from)) / 86_400_000 + 1 : Infinity);

// A width that gives a readable number of points.
export function interval(state) {
  const days = lengthOf(span(state));
  if (state.interval) return days > 500 && state.interval === 'day' ? 'week' : state.interval;
  return days <= 2 ? 'hour' : days <= 62 ? 'day' : days <= 400 ? 'week' : 'month';
}

// The parameters of a report; `always`: whatever day it came in.
export function parameters(state, more = {}, { always = false } = {}) {
  const days = always ? {} : span(state);
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...state.filters, ...days, ...more })) if (value) query.set(name, value);
  if (state.compare && days.from) query.set('compare', 'previous');
  return query;
}

// The list behind a bar: the same filter and what the bar stands for. `null` takes a parameter away.
export function drill(list, state, more, { always = false } = {}) {
  const query = parameters(state, {}, { always });
  query.delete('compare');
  for (const [name, value] of Object.entries(more)) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  return query.size ? `${list}?${query}` : list;
}

export function narrowed(state) {
  return Object.values(state.filters).filter(Boolean).length;
}
