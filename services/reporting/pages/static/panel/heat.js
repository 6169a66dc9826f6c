// When it comes in: by weekday and hour, and day by day over a year.
import { t } from '../app.js';
import { chart } from './charts.js';
import { ask } from './data.js';
import * as f from './formats.js';
import { daysBefore, parameters, span, today } from './state.js';

const steps = (colour) => ['h0', 'h1', 'h2', 'h3', 'h4', 'h5'].map(colour);

export function hours(report) {
  return {
    load: (state) => report('heatmap', state),
    nothing: ({ rows }) => rows.every((row) => !row.received),
    note: ({ rows }) => {
      const most = rows.reduce((best, row) => (row.received > best.received ? row : best));
      return t(`En yoğun: ${f.weekday(most.weekday - 1, true)} ${most.hour}.00–${most.hour + 1}.00 (${f.number(most.received)})`, `Busiest: ${f.weekday(most.weekday - 1, true)} ${most.hour}:00–${most.hour + 1}:00 (${f.number(most.received)})`);
    },
    draw: (body, { rows }, _, card) => chart(body, {
      label: card.title,
      by: 'item',
      size: 'short',
      count: rows.length,
      row: 24,
      first: 0,
      point: (index) => ({ title: `${f.weekday(rows[index].weekday - 1, true)} ${rows[index].hour}.00–${rows[index].hour + 1}.00`, rows: [['h4', t('Gelen', 'Received'), f.number(rows[index].received)]] }),
      build: (colour, axes) => ({
        grid: axes.grid,
        xAxis: { ...axes.category([...Array(24).keys()].map(String)), axisLine: { show: false } },
        yAxis: { ...axes.category([...Array(7).keys()].map((day) => f.weekday(day))), inverse: true, axisLine: { show: false } },
        visualMap: { show: false, min: 0, max: Math.max(...rows.map((row) => row.received), 1), inRange: { color: steps(colour) } },
        series: [{ type: 'heatmap', data: rows.map((row) => [row.hour, row.weekday - 1, row.received]), itemStyle: { borderColor: colour('surface'), borderWidth: 1.5, borderRadius: 2 }, emphasis: { itemStyle: { borderColor: colour('ink') } } }],
      }),
    }),
    table: ({ rows }) => ({
      heads: [t('Saat', 'Hour'), ...[...Array(7).keys()].map((day) => f.weekday(day))],
      rows: [...Array(24).keys()].map((hour) => ({ cells: [`${hour}.00`, ...[...Array(7).keys()].map((day) => f.number(rows.find((row) => row.hour === hour && row.weekday === day + 1).received))] })),
    }),
  };
}

// The year that ends with the period, whatever its length.
export function calendar(to) {
  const year = (state) => {
    const last = span(state).to || today();
    return { from: daysBefore(last, 364), to: last };
  };
  const go = (state, days) => (index) => to(state, { from: days[index].day, to: days[index].day });
  return {
    load: (state) => ask('/v1/reports/heatmap', parameters(state, year(state), { always: true })),
    nothing: ({ days }) => !days.length,
    note: ({ days }) => {
      const most = days.reduce((best, one) => (one.received > best.received ? one : best));
      return t(`Son bir yıl; en yoğun gün ${f.dayAndYear(most.day)} (${f.number(most.received)})`, `The last year; the busiest day was ${f.dayAndYear(most.day)} (${f.number(most.received)})`);
    },
    draw: (body, { days }, state, card) => {
      const shown = body.clientWidth < 560 ? days.slice(-182) : days;
      const { from, to: last } = { ...year(state), from: shown.length < days.length ? shown[0].day : year(state).from };
      const most = [...shown].map((one) => one.received).sort((a, b) => a - b);
      return chart(body, {
        label: card.title,
        by: 'item',
        size: 'year',
        count: shown.length,
        row: 1,
        first: shown.length - 1,
        point: (index) => ({ title: f.fullDay(shown[index].day), rows: [['h4', t('Gelen', 'Received'), f.number(shown[index].received)]] }),
        go: go(state, shown),
        build: (colour, axes) => ({
          visualMap: { show: false, min: 0, max: most[Math.floor(most.length * 0.98)] || 1, inRange: { color: steps(colour) } },
          calendar: { left: axes.label.fontSize * 3.2, right: 6, top: axes.label.fontSize * 1.9, bottom: 4, range: [from, last], cellSize: ['auto', 'auto'], yearLabel: { show: false }, splitLine: { show: false },
            itemStyle: { color: 'transparent', borderColor: colour('surface'), borderWidth: 2 },
            dayLabel: { ...axes.label, firstDay: 1, nameMap: [6, 0, 1, 2, 3, 4, 5].map((day) => ([0, 2, 4, 6].includes(day) ? f.weekday(day) : '')) },
            monthLabel: { ...axes.label, nameMap: [...Array(12).keys()].map(f.monthName) } },
          series: [{ type: 'heatmap', coordinateSystem: 'calendar', data: shown.map((one) => [one.day, one.received]), itemStyle: { borderRadius: 2 } }],
        }),
      });
    },
    table: ({ days }, state) => ({
      heads: [t('Gün', 'Day'), t('Gelen', 'Received')],
      rows: days.map((one, index) => ({ href: go(state, days)(index), cells: [f.fullDay(one.day), f.number(one.received)] })).reverse(),
    }),
  };
}
