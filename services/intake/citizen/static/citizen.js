// The form at /: suggestions while typing (the middle of the page that the server would answer), position, previews.
import { t, el, toast } from './app.js';

const form = document.getElementById('citizen-form');
const place = document.getElementById('suggested');
const text = form.elements.text;
let last = text.value.trim();
let timer = 0;
let asking = null;
let waiting = 0;

async function suggest() {
  asking?.abort();
  asking = new AbortController();
  const given = new FormData(form);
  given.delete('upload');
  given.set('do', 'suggest');
  let page;
  try {
    const answer = await fetch('/new', { method: 'POST', body: given, signal: asking.signal, headers: { Accept: 'text/html' } });
    if (!answer.ok) return;
    page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  } catch {
    return; // without suggestions the form works as well
  }
  const held = document.activeElement;
  const again = place.contains(held) ? held.id || null : null;
  const inside = place.contains(held) && !again;
  if (inside && held.name?.startsWith('q.')) return; // an answer is being given: leave it alone
  place.replaceChildren(...document.importNode(page.getElementById('suggested'), true).childNodes);
  for (const name of ['neighbourhood', 'address']) {
    const found = page.querySelector(`[name="${name}"]`);
    if (found && !form.elements[name].value) form.elements[name].value = found.value;
  }
  wire();
  if (again) document.getElementById(again)?.focus();
}

function wire() {
  const button = document.getElementById('suggest');
  if (button) button.hidden = true;
  place.querySelectorAll('input[name="service"], #f-service').forEach((field) => field.addEventListener('change', () => {
    if (field.id === 'f-service') place.querySelectorAll('input[name="service"]').forEach((one) => { one.checked = one.value === field.value; });
    else document.getElementById('f-service').value = field.value;
    suggest();
  }));
}

text.addEventListener('input', () => {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const now = text.value.trim();
    if (now.length > 5 && now !== last) { last = now; suggest(); }
  }, 700);
});

form.elements.position.addEventListener('change', suggest);

// The subjects that fit the words in the search field, from the server: only it knows which words mean what.
const search = form.elements.q;
const found = document.getElementById('found');
let searching = null;

async function find() {
  searching?.abort();
  searching = new AbortController();
  const given = new FormData();
  given.set('do', 'search');
  given.set('q', search.value);
  try {
    const answer = await fetch('/new', { method: 'POST', body: given, signal: searching.signal, headers: { Accept: 'text/html' } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    found.replaceChildren(...document.importNode(page.getElementById('found'), true).childNodes);
    document.getElementById('found-count').textContent = page.getElementById('found-count').textContent;
  } catch {
    // without a connection the list is still there
  }
}

document.getElementById('search').hidden = true;
search.addEventListener('input', () => {
  clearTimeout(waiting);
  waiting = setTimeout(find, 250);
});
search.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter') return;
  event.preventDefault();
  clearTimeout(waiting);
  find();
});
found.addEventListener('click', async (event) => {
  const button = event.target.closest('button[name="pick"]');
  if (!button) return;
  event.preventDefault();
  clearTimeout(waiting);
  searching?.abort();
  place.querySelectorAll('input[name="service"]').forEach((one) => { one.checked = one.value === button.value; });
  document.getElementById('f-service').value = button.value;
  search.value = '';
  found.replaceChildren();
  document.getElementById('found-count').textContent = t(`Seçildi: ${button.textContent}`, `Chosen: ${button.textContent}`);
  search.focus();
  await suggest();
});

const locate = document.getElementById('locate');
const located = document.getElementById('located');
if ('geolocation' in navigator) {
  locate.hidden = false;
  locate.addEventListener('click', () => {
    located.textContent = t('Konum alınıyor…', 'Finding out …');
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        form.elements.position.value = `${coords.latitude.toFixed(5)}, ${coords.longitude.toFixed(5)}`;
        document.getElementById('map-part').open = true;
        form.elements.position.dispatchEvent(new Event('change', { bubbles: true }));
        located.textContent = t(`Konum eklendi (±${Math.round(coords.accuracy)} m).`, `Position added (±${Math.round(coords.accuracy)} m).`);
      },
      () => { located.textContent = t('Konum alınamadı; mahalle ve sokak yazın.', 'No position; write quarter and street.'); },
      { enableHighAccuracy: true, timeout: 10000 },
    );
  });
}

const upload = form.elements.upload;
const previews = document.getElementById('previews');
upload.addEventListener('change', () => {
  previews.querySelectorAll('img').forEach((image) => URL.revokeObjectURL(image.src));
  const files = [...upload.files];
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  if (files.length > 10 || bytes > 12_000_000) {
    toast(t('En çok 10 dosya, toplam 12 MB.', 'At most 10 files, 12 MB in all.'), 'bad');
    upload.value = '';
    files.length = 0;
  }
  previews.replaceChildren(...files.filter((file) => file.type.startsWith('image/')).map((file) => {
    const image = el('img', { alt: file.name });
    image.src = URL.createObjectURL(file);
    return el('li', {}, image);
  }));
});

wire();
