// Points on a map. Without a tiles' server the ground is plain: positions, names of neighbourhoods and a scale.
import { el, t } from './app.js';

const L = window.L;
const markers = new Map();

function popup(point) {
  return el('div', {}, el('a', { href: point.href, class: 'strong' }, point.text), el('br'), el('span', { class: 'mono' }, point.number), point.place ? el('span', {}, ` · ${point.place}`) : null);
}

function middles(points) {
  const groups = new Map();
  for (const point of points) if (point.place) groups.set(point.place, [...(groups.get(point.place) || []), point]);
  const mean = (group, name) => group.reduce((sum, point) => sum + point[name], 0) / group.length;
  return [...groups].map(([name, group]) => [name, [mean(group, 'lat'), mean(group, 'lon')]]);
}

for (const node of document.querySelectorAll('[data-map]')) {
  const points = JSON.parse(node.dataset.points);
  const map = L.map(node, { attributionControl: Boolean(node.dataset.attribution), preferCanvas: false });
  if (node.dataset.tiles) L.tileLayer(node.dataset.tiles, { attribution: node.dataset.attribution, maxZoom: 19 }).addTo(map);
  else for (const [name, at] of middles(points)) L.tooltip({ permanent: true, direction: 'top', offset: [0, -8], className: 'mahalle' }).setLatLng(at).setContent(document.createTextNode(name)).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  for (const point of points) {
    const tone = point.emergency ? ' emergency' : point.overdue ? ' overdue' : '';
    const marker = L.circleMarker([point.lat, point.lon], { radius: point.emergency ? 11 : 8, className: `point${tone}` }).addTo(map);
    if (point.href) marker.bindPopup(popup(point));
    if (point.id) markers.set(point.id, marker);
  }
  map.fitBounds(L.latLngBounds(points.map((point) => [point.lat, point.lon])), { padding: [30, 30], maxZoom: 16 });
  map.zoomControl?.getContainer().querySelector('.leaflet-control-zoom-in')?.setAttribute('title', t('Yakınlaştır', 'Zoom in'));
  map.zoomControl?.getContainer().querySelector('.leaflet-control-zoom-out')?.setAttribute('title', t('Uzaklaştır', 'Zoom out'));
}

for (const row of document.querySelectorAll('[data-point]')) {
  const marker = markers.get(row.dataset.point);
  const mark = (on) => marker?.getElement()?.classList.toggle('chosen', on);
  for (const [name, on] of [['mouseenter', true], ['focusin', true], ['mouseleave', false], ['focusout', false]]) row.addEventListener(name, () => mark(on));
}
