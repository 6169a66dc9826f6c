// Apache ECharts behind one function: colours of the page, tooltips without markup, keyboard, and a click that leads on.
import { el, t } from '../app.js';

const drawn = new Map(); // node -> what redraws it
let library;

export const colours = () => {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
};
const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

export function axes(colour) {
  const label = { color: colour('muted'), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: document.body.classList.contains('wall') ? 16 : 12 };
  return {
    label,
    category: (data, more = {}) => ({ type: 'category', data, axisLabel: { ...label, hideOverlap: true, ...more }, axisTick: { show: false }, axisLine: { lineStyle: { color: colour('line-strong') } } }),
    value: (formatter, more = {}) => ({ type: 'value', minInterval: 1, splitNumber: 4, axisLabel: { ...label, formatter }, splitLine: { lineStyle: { color: colour('c-grid') } }, ...more }),
    grid: { left: 4, right: 8, top: 10, bottom: 2, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
  };
}

function tip({ title, rows }) {
  return el('div', {}, el('strong', {}, title), ...rows.map(([key, label, value]) => el('div', {}, el('span', { class: `key ${key}` }), label, el('span', { class: 'value' }, value))));
}

const say = (text) => { document.getElementById('said').textContent = text; };

// spec: build(colour, axes) gives ECharts' options; label names the chart; count points, each with point(i) = { title, rows }
// and, if it leads on, go(i) = address. by: 'axis' for columns, 'item' for cells; row: points in a row (for up and down).
export async function chart(body, spec) {
  library ??= import('../vendor/echarts.js');
  const { init } = await library;
  const node = el('div', { class: `chart ${spec.size || ''}`, tabindex: '0', role: 'application', 'aria-roledescription': t('grafik', 'chart'),
    'aria-label': `${spec.label} ${t('Ok tuşlarıyla gezilir, Enter listeyi açar; “Tablo” aynı sayıları tablo olarak gösterir.', 'Arrow keys move, Enter opens the list; “Table” shows the same figures as a table.')}` });
  body.replaceChildren(...(spec.keys ? [keysRow(spec.keys)] : []), node);
  const one = init(node, null, { renderer: 'canvas' });
  const draw = () => {
    const colour = colours();
    one.setOption({
      animation: !still(), animationDuration: 350, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      tooltip: { trigger: spec.by || 'axis', confine: true, className: 'chart-tip', transitionDuration: 0, padding: 0, borderWidth: 0, backgroundColor: 'transparent', extraCssText: '',
        axisPointer: { type: 'shadow', shadowStyle: { color: colour('muted'), opacity: 0.1 } },
        formatter: (found) => tip(spec.point((Array.isArray(found) ? found[0] : found).dataIndex)) },
      ...spec.build(colour, axes(colour)),
    }, true);
  };
  draw();
  const sized = new ResizeObserver(() => one.resize());
  sized.observe(node);
  drawn.set(node, { draw, stop: () => { sized.disconnect(); one.dispose(); } });
  lead(node, one, spec);
  sweep();
}

function lead(node, one, spec) {
  const follow = (index) => { const href = spec.go?.(index); if (href) location.assign(href); };
  if (spec.by === 'item') one.on('click', ({ dataIndex }) => follow(dataIndex));
  else if (spec.go) {
    const at = (event) => Math.round(one.convertFromPixel({ gridIndex: 0 }, [event.offsetX, event.offsetY])[0]);
    one.getZr().on('click', (event) => { if (one.containPixel({ gridIndex: 0 }, [event.offsetX, event.offsetY])) follow(at(event)); });
    one.getZr().on('mousemove', (event) => one.getZr().setCursorStyle(one.containPixel({ gridIndex: 0 }, [event.offsetX, event.offsetY]) ? 'pointer' : 'default'));
  }
  let index = -1;
  node.addEventListener('keydown', (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: spec.row || 1, ArrowUp: -(spec.row || 1), Home: -Infinity, End: Infinity };
    if (event.key === 'Enter' && index >= 0) follow(index);
    else if (event.key in steps) index = Math.max(0, Math.min(spec.count - 1, index < 0 && Math.abs(steps[event.key]) !== Infinity ? (spec.first ?? 0) : index + steps[event.key]));
    else return;
    event.preventDefault();
    one.dispatchAction({ type: 'showTip', seriesIndex: 0, dataIndex: index });
    const { title, rows } = spec.point(index);
    say([title, ...rows.map(([, label, value]) => `${label} ${value}`)].join(', '));
  });
  node.addEventListener('blur', () => one.dispatchAction({ type: 'hideTip' }));
}

export function keysRow(keys) {
  return el('div', { class: 'keys-row', 'aria-hidden': 'true' }, ...keys.map(([key, label]) => el('span', {}, el('span', { class: `key ${key}` }), label)));
}

function sweep() {
  for (const [node, { stop }] of drawn) {
    if (node.isConnected) continue;
    stop();
    drawn.delete(node);
  }
}

// Light or dark, by the button or by the system: canvases do not follow the style sheet by themselves.
const again = () => { sweep(); for (const { draw } of drawn.values()) draw(); };
new MutationObserver(again).observe(document.documentElement, { attributeFilter: ['data-theme'] });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
