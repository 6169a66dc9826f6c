// Neighbourhoods: a circle as large as what came from there, and the same as bars. Without a tiles' server the ground is plain.
import { el, t } from '../app.js';
import { bar, bars } from './bars.js';
import * as f from './formats.js';

const NAMED = 16;

export function neighbourhoods(report, config, to) {
  const name = (row) => row.neighbourhood || t('Mahalle belirtilmemiş', 'No neighbourhood given');
  const go = (state, row) => row.neighbourhood && to(state, { neighbourhood: row.neighbourhood });
  return {
    load: (state) => report('neighbourhoods', state),
    nothing: ({ rows }) => !rows.length,
    note: ({ rows }) => {
      const known = rows.filter((row) => row.neighbourhood);
      return t(`${f.number(known.length)} mahalleden başvuru var`, `Requests from ${f.number(known.length)} neighbourhoods`);
    },
    draw: async (body, { rows }, state, card) => {
      const list = el('div', {});
      const most = Math.max(...rows.map((row) => row.received));
      bars(list, rows, [
        { head: t('Mahalle', 'Neighbourhood'), kind: 'name', cell: name, href: (row) => go(state, row) },
        { kind: 'bar', cell: (row) => bar(row.received / most) },
        { head: t('Gelen', 'Received'), kind: 'n', cell: (row) => f.number(row.received) },
        { head: t('Açık', 'Open'), kind: 'n', class: 'soft', cell: (row) => f.number(row.open) },
        { head: t('Zamanında', 'On time'), kind: 'n', class: 'soft no-small', cell: (row) => f.percent(row.on_time_share) },
      ], { caption: card.title, most: 12 });
      const placed = rows.filter((row) => row.neighbourhood && row.lat !== null && row.lon !== null);
      if (!placed.length) return body.replaceChildren(list);
      const node = el('div', { class: 'map', role: 'region', 'aria-label': t('Mahalle haritası; aynı sayılar yanındaki listede', 'Map of neighbourhoods; the same figures are in the list beside it') });
      body.replaceChildren(el('div', { class: 'panel-map' }, node, list));
      await import('../vendor/leaflet.js');
      if (node.isConnected) paint(node, placed, most, config, { name, go: (row) => go(state, row) });
    },
  };
}

function paint(node, rows, most, config, { name, go }) {
  const { L } = window;
  const map = L.map(node, { attributionControl: Boolean(config.attribution), scrollWheelZoom: false, zoomSnap: 0.25 });
  map.fitBounds(L.latLngBounds(rows.map((row) => [row.lat, row.lon])), { padding: [28, 28], maxZoom: 15 });
  if (config.tiles) L.tileLayer(config.tiles, { attribution: config.attribution, maxZoom: 19 }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  const label = (row) => t(`${name(row)}: ${f.number(row.received)} gelen, ${f.number(row.open)} açık, zamanında ${f.percent(row.on_time_share)}`, `${name(row)}: ${f.number(row.received)} received, ${f.number(row.open)} open, ${f.percent(row.on_time_share)} on time`);
  const named = [];
  const free = (at, text) => named.every(([other, width]) => Math.abs(other.x - at.x) > (width + text.length * 7) / 2 || Math.abs(other.y - at.y) > 15);
  for (const row of rows) {
    const circle = L.circleMarker([row.lat, row.lon], { radius: 4 + 22 * Math.sqrt(row.received / most), className: 'circle' }).addTo(map);
    circle.bindTooltip(document.createTextNode(label(row)), { sticky: true });
    circle.on('click', () => location.assign(go(row)));
    const at = map.latLngToLayerPoint([row.lat, row.lon]);
    if (named.length >= NAMED || !free(at, row.neighbourhood)) continue;
    named.push([at, row.neighbourhood.length * 7]);
    L.tooltip({ permanent: true, direction: 'center', className: 'mahalle', interactive: false }).setLatLng([row.lat, row.lon]).setContent(document.createTextNode(row.neighbourhood)).addTo(map);
  }
  const zoom = map.zoomControl.getContainer();
  zoom.querySelector('.leaflet-control-zoom-in').setAttribute('title', t('Yakınlaştır', 'Zoom in'));
  zoom.querySelector('.leaflet-control-zoom-out').setAttribute('title', t('Uzaklaştır', 'Zoom out'));
}
