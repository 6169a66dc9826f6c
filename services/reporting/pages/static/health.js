// The page of health keeps itself true: asked again every five seconds while somebody sees it.
import { refreshTimes } from './app.js';

const now = document.querySelector('[data-health]');
const lost = document.getElementById('lost');
const EVERY = 5000;
let shown = '';

async function look() {
  if (document.hidden || now.contains(document.activeElement)) return; // who is at a link there does not lose it
  try {
    const answer = await fetch(now.dataset.health, { credentials: 'same-origin' });
    if (answer.status === 401) location.reload(); // the sign-in, and back
    if (!answer.ok) throw new Error(String(answer.status));
    const html = await answer.text();
    lost.hidden = true;
    if (html === shown) return;
    shown = html;
    now.replaceChildren(...new DOMParser().parseFromString(html, 'text/html').body.childNodes);
    refreshTimes();
  } catch {
    lost.hidden = false;
  }
}

setInterval(look, EVERY);
document.addEventListener('visibilitychange', look);
