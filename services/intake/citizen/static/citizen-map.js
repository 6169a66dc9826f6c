// The map of the form at /. The field `position` is the truth: the map shows it, and writes into it what is chosen.
import { el, icon, t } from './app.js';

const L = window.L;
const node = document.getElementById('citizen-map');
const part = document.getElementById('map-part');
const field = document.getElementById('f-position');
const said = document.getElementById('map-said');
const touch = matchMedia('(pointer: coarse)').matches;
const STEPS = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];
const APART = 110; // pixels between two lines of the graticule, at least

function typed() {
  const parts = field.value.split(',').map((part) => part.trim());
  const [lat, lon] = parts.map(Number);
  return parts.length === 2 && parts.every(Boolean) && Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? L.latLng(lat, lon) : null;
}

// One finger scrolls the page, two move and zoom the map; the wheel scrolls the page.
const map = L.map(node, { zoomControl: false, attributionControl: false, scrollWheelZoom: false, dragging: !touch, tapHold: false, minZoom: 9, maxZoom: 19 });
L.control.zoom({ zoomInTitle: t('Yakınlaştır', 'Zoom in'), zoomOutTitle: t('Uzaklaştır', 'Zoom out') }).addTo(map);
L.control.scale({ imperial: false }).addTo(map);
const centre = JSON.parse(node.dataset.centre);
map.setView(typed() || centre, typed() ? 16 : 13);

// --- the ground ---

function label(at, text, side) {
  return L.marker(at, { interactive: false, keyboard: false, icon: L.divIcon({ className: `map-label ${side}`, html: el('span', {}, text), iconSize: null }) });
}

function graticule(lines) {
  lines.clearLayers();
  const seen = map.getBounds();
  const perDegree = map.getSize().x / (seen.getEast() - seen.getWest());
  if (!Number.isFinite(perDegree) || perDegree <= 0) return; // not shown yet
  const step = STEPS.findLast((one) => one * perDegree >= APART) || STEPS[0];
  const digits = Math.max(1, Math.ceil(-Math.log10(step)));
  const style = { className: 'graticule', interactive: false, weight: 1 };
  const inside = (low, high) => Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, i) => (Math.ceil(low / step) + i) * step);
  for (const lat of inside(seen.getSouth(), seen.getNorth())) {
    lines.addLayer(L.polyline([[lat, seen.getWest()], [lat, seen.getEast()]], style)).addLayer(label([lat, seen.getEast()], `${lat.toFixed(digits)}° ${t('K', 'N')}`, 'right'));
  }
  for (const lon of inside(seen.getWest(), seen.getEast())) {
    lines.addLayer(L.polyline([[seen.getSouth(), lon], [seen.getNorth(), lon]], style)).addLayer(label([seen.getNorth(), lon], `${lon.toFixed(digits)}° ${t('D', 'E')}`, 'top'));
  }
}

if (node.dataset.tiles) {
  L.tileLayer(node.dataset.tiles, { attribution: node.dataset.attribution, maxZoom: 19 }).addTo(map);
  if (node.dataset.attribution) L.control.attribution({ prefix: false }).addTo(map);
} else {
  L.polygon(JSON.parse(node.dataset.outline), { className: 'outline', interactive: false, weight: 2 }).addTo(map);
  L.circleMarker(centre, { className: 'centre', interactive: false, radius: 4 }).addTo(map);
  label(centre, t('İlkadım (merkez)', 'İlkadım (centre)'), 'under').addTo(map);
  const lines = L.layerGroup().addTo(map);
  map.on('moveend resize', () => graticule(lines));
  graticule(lines);
}

// --- the pin ---

const pin = L.marker(typed() || centre, {
  draggable: true, autoPan: true, keyboard: false,
  icon: L.divIcon({ className: 'pin', html: icon('place'), iconSize: [44, 44], iconAnchor: [22, 42] }),
});

function choose(at) {
  const { lat, lng } = at.wrap();
  field.value = `${lat.toFixed(5)}, ${lng.toFixed(5)}`;
  said.textContent = t(`Yer seçildi: ${field.value}`, `Place chosen: ${field.value}`);
  field.dispatchEvent(new Event('change', { bubbles: true }));
}

function show() {
  const at = typed();
  if (!at) { pin.remove(); return; }
  pin.setLatLng(at).addTo(map);
  if (!map.getBounds().pad(-0.1).contains(at)) map.setView(at, Math.max(map.getZoom(), 16));
}

map.on('click', (event) => choose(event.latlng));
pin.on('dragend', () => choose(pin.getLatLng()));
node.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.target !== node) return;
  event.preventDefault(); // the form stays
  choose(map.getCenter());
});
field.addEventListener('change', show);

document.getElementById('map-block').hidden = false;
document.getElementById('map-title').textContent = t('Haritada gösterin', 'Show it on the map');
part.addEventListener('toggle', () => { map.invalidateSize(); show(); });
map.invalidateSize();
show();
