// The wall screen: large tiles, one section after another, nothing to click in the way. Stands still while somebody looks
// closer, and where motion is not wanted.
import { language, t } from '../app.js';

const EVERY = 20_000;

export function wall(root, onTurn) {
  const cards = [...root.querySelectorAll('[data-wall-page]')];
  const pages = [...new Set(cards.map((card) => Number(card.dataset.wallPage)))].sort();
  const bar = document.getElementById('wall-bar');
  const pause = bar.querySelector('[data-wall-pause]');
  const clock = document.getElementById('wall-clock');
  let at = 0;
  let paused = matchMedia('(prefers-reduced-motion: reduce)').matches;
  let asleep;

  function show() {
    for (const card of cards) card.classList.toggle('on', Number(card.dataset.wallPage) === pages[at]);
    onTurn(cards.filter((card) => card.classList.contains('on')).map((card) => card.dataset.card));
  }
  const quiet = (page) => cards.filter((card) => Number(card.dataset.wallPage) === page).every((card) => card.classList.contains('quiet'));
  function turn(step) {
    do at = (at + step + pages.length) % pages.length; while (quiet(pages[at]));
    show();
  }
  function tell() {
    pause.setAttribute('aria-pressed', String(paused));
    pause.firstElementChild.textContent = paused ? t('Döndür', 'Rotate') : t('Durdur', 'Pause');
  }
  function tick() {
    const locale = language === 'en' ? 'en-GB' : 'tr-TR';
    const now = new Date();
    const date = document.createElement('small');
    date.textContent = now.toLocaleDateString(locale, { timeZone: 'Europe/Istanbul', day: 'numeric', month: 'long', year: 'numeric', weekday: 'long' });
    clock.replaceChildren(date, now.toLocaleTimeString(locale, { timeZone: 'Europe/Istanbul', hour: '2-digit', minute: '2-digit' }));
  }
  function wake() {
    document.body.classList.add('awake');
    clearTimeout(asleep);
    asleep = setTimeout(() => document.body.classList.remove('awake'), 4000);
  }

  document.body.classList.add('wall');
  bar.hidden = false;
  pause.addEventListener('click', () => { paused = !paused; tell(); });
  for (const button of bar.querySelectorAll('[data-wall-step]')) button.addEventListener('click', () => turn(Number(button.dataset.wallStep)));
  document.addEventListener('mousemove', wake);
  document.addEventListener('keydown', wake);
  setInterval(() => { if (!paused && !root.contains(document.activeElement)) turn(1); }, EVERY);
  setInterval(tick, 5000);
  tick();
  tell();
  show();
}
