// What each card asks, and how it shows the answer.
import { t } from '../app.js';
import { bar, bars, split } from './bars.js';
import { chart } from './charts.js';
import { ask } from './data.js';
import * as f from './formats.js';
import { drill, interval, parameters } from './state.js';
import { calendar, hours } from './heat.js';
import { emergencies } from './emergencies.js';
import { neighbourhoods } from './map.js';
import { stars } from './stars.js';

const report = (name, state, more, how) => ask(`/v1/reports/${name}`, parameters(state, more, how));
const none = (answer) => answer.rows.length === 0;
const unknown = () => t('Henüz belli değil', 'Not known yet');

// How to name a value of a field, and where the requests behind it are.
export function naming(config) {
  const called = (field, value) => (value === null || value === '' ? unknown() : config.names[field]?.[value] || value);
  const to = (state, more, how) => drill(config.list, state, more, how);
  return { called, to };
}

export function specs(config) {
  const { called, to } = naming(config);
  return {
    volume: volume(to),
    channels: grouped('channels', 'channel', t('Kanal', 'Channel'), called, to, { share: true }),
    departments: departments(called, to),
    backlog: backlog(called, to),
    respond: distribution('respond', t('yanıtlandı', 'answered')),
    resolve: distribution('close', t('kapandı', 'closed')),
    services: grouped('services', 'service', t('Hizmet', 'Service'), called, to, { late: true }),
    satisfaction: stars(report, called),
    map: neighbourhoods(report, config, to),
    hours: hours(report),
    calendar: calendar(to),
    emergencies: emergencies(config, called, to),
  };
}

// --- received and closed ---

function bucketDays(name, width) {
  if (width === 'hour' || width === 'day') return { from: name.slice(0, 10), to: name.slice(0, 10) };
  const last = new Date(`${name}T12:00:00Z`);
  if (width === 'week') last.setUTCDate(last.getUTCDate() + 6);
  else last.setUTCMonth(last.getUTCMonth() + 1, 0);
  return { from: name, to: last.toISOString().slice(0, 10) };
}

function volume(to) {
  const total = (rows, name) => rows.reduce((sum, row) => sum + row[name], 0);
  const within = ({ from, to: last }, days) => ({ from: days.from && from < days.from ? days.from : from, to: days.to && last > days.to ? days.to : last });
  const go = (answer, state) => (index) => to(state, within(bucketDays(answer.rows[index].bucket, answer.interval), answer.filter));
  return {
    load: (state) => report('volume', state, { interval: interval(state) }),
    nothing: (answer) => answer.rows.every((row) => !row.received && !row.closed),
    note: ({ rows, previous }) => t(`${f.number(total(rows, 'received'))} başvuru geldi, ${f.number(total(rows, 'closed'))} başvuru kapandı`, `${f.number(total(rows, 'received'))} received, ${f.number(total(rows, 'closed'))} closed`)
      + (previous ? t(`; önceki dönem ${f.number(total(previous.rows, 'received'))} geldi`, `; the period before ${f.number(total(previous.rows, 'received'))} received`) : ''),
    draw: (body, answer, state, card) => {
      const { rows, previous, interval: width } = answer;
      const before = previous?.rows;
      return chart(body, {
        label: card.title,
        count: rows.length,
        keys: [['c1', t('Gelen', 'Received')], ['c2', t('Kapanan', 'Closed')], ...(before ? [['c-prev', t('Önceki dönem, gelen', 'Received in the period before')]] : [])],
        point: (index) => ({ title: f.bucket(rows[index].bucket, width, true), rows: [['c1', t('Gelen', 'Received'), f.number(rows[index].received)], ['c2', t('Kapanan', 'Closed'), f.number(rows[index].closed)],
          ...(before?.[index] ? [['c-prev', t('Önceki dönem', 'Before'), f.number(before[index].received)]] : [])] }),
        go: go(answer, state),
        build: (colour, axes) => ({
          grid: axes.grid,
          xAxis: axes.category(rows.map((row) => f.bucket(row.bucket, width))),
          yAxis: axes.value(f.number),
          series: [
            { type: 'bar', data: rows.map((row) => row.received), itemStyle: { color: colour('c1'), borderRadius: [2, 2, 0, 0] }, barCategoryGap: rows.length > 40 ? '15%' : '30%', barMaxWidth: 46 },
            { type: 'line', data: rows.map((row) => row.closed), color: colour('c2'), lineStyle: { width: 2.5 }, symbol: 'circle', symbolSize: 5, showSymbol: rows.length <= 40, z: 3 },
            ...(before ? [{ type: 'line', data: rows.map((_, index) => before[index]?.received ?? null), color: colour('c-prev'), lineStyle: { width: 1.5, type: 'dashed' }, showSymbol: false, z: 2 }] : []),
          ],
        }),
      });
    },
    table: (answer, state) => ({
      heads: [t('Gün', 'Bucket'), t('Gelen', 'Received'), t('Kapanan', 'Closed'), ...(answer.previous ? [t('Önceki dönem, gelen', 'Received before')] : [])],
      rows: answer.rows.map((row, index) => ({ href: go(answer, state)(index), cells: [f.bucket(row.bucket, answer.interval, true), f.number(row.received), f.number(row.closed),
        ...(answer.previous ? [f.number(answer.previous.rows[index]?.received)] : [])] })),
    }),
  };
}

// --- one bar for each value of a field ---

const before = (answer, field) => new Map((answer.previous?.rows || []).map((row) => [row[field], row.received]));

function grouped(name, field, head, called, to, { share = false, late = false } = {}) {
  return {
    load: (state) => report(name, state),
    nothing: none,
    note: ({ rows }) => {
      const all = rows.reduce((sum, row) => sum + row.received, 0);
      const most = `${called(field, rows[0][field])} (${f.percent(rows[0].received / all)})`;
      return t(`En çok: ${most}`, `Most: ${most}`);
    },
    draw: (body, answer, state, card) => {
      const { rows } = answer;
      const all = rows.reduce((sum, row) => sum + row.received, 0);
      const was = before(answer, field);
      const longest = Math.max(...rows.map((row) => row.received), ...was.values());
      bars(body, rows, [
        { head, kind: 'name', cell: (row) => called(field, row[field]), href: (row) => row[field] && to(state, { [field]: row[field] }) },
        { kind: 'bar', cell: (row) => bar(row.received / longest, was.size ? (was.get(row[field]) || 0) / longest : null) },
        { head: t('Gelen', 'Received'), kind: 'n', cell: (row) => f.number(row.received) },
        ...(was.size ? [{ head: t('Önceki', 'Before'), kind: 'n', class: 'soft', cell: (row) => f.number(was.get(row[field]) || 0) }] : []),
        ...(share ? [{ head: t('Pay', 'Share'), kind: 'n', class: 'soft', cell: (row) => f.percent(row.received / all) }] : []),
        ...(late ? [{ head: t('Zamanında', 'On time'), kind: 'n', class: 'soft', cell: (row) => f.percent(row.on_time_share) }] : []),
      ], { caption: card.title });
    },
  };
}

// --- departments ---

function departments(called, to) {
  return {
    load: (state) => report('departments', state),
    nothing: none,
    note: ({ rows }) => {
      const closed = rows.reduce((sum, row) => sum + row.on_time + row.late, 0);
      const good = rows.reduce((sum, row) => sum + row.on_time, 0);
      return closed ? t(`Kapanan işlerin ${f.percent(good / closed)} kadarı zamanında bitti`, `${f.percent(good / closed)} of what was closed was on time`) : t('Henüz kapanan iş yok', 'Nothing closed yet');
    },
    draw: (body, answer, state, card) => {
      const name = (row) => row.department && { department: row.department };
      bars(body, answer.rows, [
        { head: t('Birim', 'Department'), kind: 'name', cell: (row) => called('department', row.department), href: (row) => name(row) && to(state, { ...name(row), parts: 'true' }) },
        { kind: 'bar', class: 'slim no-small', cell: (row) => split([['c-ok', row.on_time], ['c-late', row.late]], row.on_time + row.late || 1) },
        { head: t('Zamanında', 'On time'), kind: 'n', cell: (row) => f.percent(row.on_time_share) },
        { head: t('İş', 'Work'), kind: 'n', class: 'soft no-small', cell: (row) => f.number(row.received) },
        { head: t('Açık', 'Open'), kind: 'n', class: 'soft', cell: (row) => f.number(row.open), href: (row) => name(row) && row.open && to(state, { ...name(row), status: 'open', parts: 'true' }) },
        { head: t('Geciken', 'Overdue'), kind: 'n', class: 'soft', cell: (row) => f.number(row.overdue), href: (row) => name(row) && row.overdue && to(state, { ...name(row), overdue: 'true', parts: 'true' }) },
        { head: t('Ortanca süre', 'Median time'), kind: 'n', class: 'soft no-small', cell: (row) => f.hours(row.median_hours_to_close) },
      ], { caption: card.title });
    },
  };
}

// --- age of what is open ---

const BANDS = ['0-1', '1-3', '3-7', '7-14', '14-30', '30-90', '90+'];

function backlog(called, to) {
  const merged = ({ rows }) => BANDS.map((band) => rows.filter((row) => row.band === band).reduce((sum, row) => ({
    band, open: sum.open + row.open, overdue: sum.overdue + row.overdue, paused: sum.paused + row.paused }), { band, open: 0, overdue: 0, paused: 0 }));
  const words = (band) => (band.endsWith('+') ? t(`${parseInt(band, 10)} gün ve üzeri`, `${parseInt(band, 10)} days and more`) : t(`${band.replace('-', '–')} gün`, `${band.replace('-', '–')} days`));
  return {
    load: (state) => report('backlog', state, {}, { always: true }),
    nothing: (answer) => none(answer) && t('Açık iş yok', 'Nothing is open'),
    note: (answer) => {
      const all = merged(answer);
      const open = all.reduce((sum, row) => sum + row.open, 0);
      const old = all.slice(5).reduce((sum, row) => sum + row.open, 0);
      return t(`Parçalarıyla ${f.number(open)} iş açık; ${f.number(old)} tanesi 30 günden eski`, `${f.number(open)} open, with their parts; ${f.number(old)} older than 30 days`);
    },
    draw: (body, answer, state, card) => {
      const rows = merged(answer);
      const longest = Math.max(...rows.map((row) => row.open), 1);
      const table = document.createElement('div');
      const line = document.createElement('div');
      line.className = 'under';
      bars(table, rows, [
        { head: t('Yaşı', 'Age'), kind: 'name', cell: (row) => words(row.band) },
        { kind: 'bar', cell: (row) => split([['c1', row.open - row.overdue - row.paused], ['c-pause', row.paused], ['c-late', row.overdue]], longest) },
        { head: t('Açık', 'Open'), kind: 'n', cell: (row) => f.number(row.open) },
        { head: t('Geciken', 'Overdue'), kind: 'n', class: 'soft', cell: (row) => f.number(row.overdue) },
      ], { caption: card.title });
      body.replaceChildren(keys(), table, line);
      const { series, interval: width } = answer;
      return series.length < 2 ? null : chart(line, {
        label: t('Gün sonunda açık iş', 'Open at the end of the day'),
        size: 'small',
        count: series.length,
        point: (index) => ({ title: f.bucket(series[index].bucket, width, true), rows: [['c1', t('Gün sonunda açık', 'Open at its end'), f.number(series[index].open)]] }),
        build: (colour, axes) => ({
          grid: axes.grid,
          xAxis: axes.category(series.map((row) => f.bucket(row.bucket, width)), { interval: 'auto' }),
          yAxis: axes.value(f.number, { splitNumber: 2, scale: true }),
          series: [{ type: 'line', data: series.map((row) => row.open), color: colour('c1'), lineStyle: { width: 2 }, areaStyle: { color: colour('c1'), opacity: 0.12 }, showSymbol: false }],
        }),
      });
    },
    table: (answer) => ({
      heads: [t('Yaşı', 'Age'), t('Birim', 'Department'), t('Açık', 'Open'), t('Geciken', 'Overdue'), t('Süresi duran', 'Clock stands still')],
      rows: answer.rows.map((row) => ({ cells: [words(row.band), called('department', row.department), f.number(row.open), f.number(row.overdue), f.number(row.paused)] })),
    }),
  };
}

function keys() {
  const row = document.createElement('div');
  row.className = 'keys-row';
  row.setAttribute('aria-hidden', 'true');
  for (const [key, words] of [['c1', t('süresi içinde', 'within its time')], ['c-pause', t('süresi duran', 'clock stands still')], ['c-late', t('geciken', 'overdue')]]) {
    const one = document.createElement('span');
    const mark = document.createElement('span');
    mark.className = `key ${key}`;
    one.append(mark, words);
    row.append(one);
  }
  return row;
}

// --- how long it took ---

function distribution(what, done) {
  const sums = ({ rows, edges }) => edges.map((_, bin) => rows.reduce((sum, row) => sum + (row[`hours_to_${what}`][bin] || 0), 0));
  // hours below a day, days above: a bin is named in the unit of its beginning
  const label = (edges, bin) => {
    const [from, until] = [edges[bin], edges[bin + 1]];
    const [size, unit] = from < 24 ? [1, t('sa', 'h')] : [24, t('gün', 'd')];
    if (until === undefined) return `≥ ${from / size} ${unit}`;
    return from ? `${from / size}–${until / size} ${unit}` : `< ${until} ${unit}`;
  };
  return {
    load: async (state) => {
      const [sla, summary] = await Promise.all([report('sla', state), report('summary', state)]);
      return { ...sla, summary: summary.rows[0] };
    },
    nothing: (answer) => sums(answer).every((count) => !count) && (what === 'close' ? t('Bu dönemin başvurularından kapanan yok', 'None of this period is closed') : t('Bu dönemin başvurularından yanıtlanan yok', 'None of this period is answered')),
    note: ({ summary }) => t(`Yarısı ${f.hours(summary[`median_hours_to_${what}`])}, onda dokuzu ${f.hours(summary[`p90_hours_to_${what}`])} içinde ${done}`, `Half was ${done} within ${f.hours(summary[`median_hours_to_${what}`])}, nine of ten within ${f.hours(summary[`p90_hours_to_${what}`])}`),
    draw: (body, answer, _, card) => {
      const counts = sums(answer);
      const all = counts.reduce((sum, count) => sum + count, 0);
      const each = body.clientWidth < 480 ? { interval: 2 } : { interval: 0, hideOverlap: false };
      return chart(body, {
        label: card.title,
        size: 'short',
        count: counts.length,
        point: (bin) => ({ title: label(answer.edges, bin), rows: [['c1', t('İş', 'Work'), f.number(counts[bin])], ['', t('Pay', 'Share'), f.percent(counts[bin] / all)]] }),
        build: (colour, axes) => ({
          grid: axes.grid,
          xAxis: axes.category(counts.map((_, bin) => label(answer.edges, bin).replace(/ (?=\S+$)/, '\n')), { ...each, fontSize: axes.label.fontSize - 1, lineHeight: axes.label.fontSize + 2 }),
          yAxis: axes.value(f.number, { splitNumber: 3 }),
          series: [{ type: 'bar', data: counts, itemStyle: { color: colour('c1'), borderRadius: [2, 2, 0, 0] }, barCategoryGap: '12%' }],
        }),
      });
    },
    table: (answer) => {
      const counts = sums(answer);
      const all = counts.reduce((sum, count) => sum + count, 0);
      return { heads: [t('Süre', 'Time'), t('İş', 'Work'), t('Pay', 'Share')], rows: counts.map((count, bin) => ({ cells: [label(answer.edges, bin), f.number(count), f.percent(count / all)] })) };
    },
  };
}
